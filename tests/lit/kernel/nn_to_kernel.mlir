// RUN: pipe-opt %s --penstock-nn-to-kernel | FileCheck %s

// One handle for each packed weight and direction; a bias goes into the kernel.
// CHECK-DAG: kernel.dispatch @[[FORWARD:matmul_[0-9]+]] "matmul" [5, 3, 0, 3, 0]
// CHECK-DAG: kernel.dispatch @[[BACKWARD:matmul_[0-9]+]] "matmul" [3, 5, 1, 3, 0]
// CHECK-DAG: kernel.dispatch @[[GRADIENT:weight_gradient_[0-9]+]] "weight_gradient" [5, 3, 0]
// CHECK-DAG: kernel.dispatch @[[COLUMNS:matmul_[0-9]+]] "matmul" [5, 2, 0, 3, 0]
nn.global @w : tensor<5x3xf32> {tensor_class = "parameter"}
nn.global @b : tensor<3xf32> {tensor_class = "parameter"}

// A training step packs for itself, since the weights have moved.
// CHECK-LABEL: func.func @train_step
// CHECK-DAG: kernel.pack @[[FORWARD]]
// CHECK-DAG: kernel.pack @[[BACKWARD]]
// CHECK: kernel.invoke "matmul" @[[FORWARD]](%{{.*}}, %{{.*}})
// CHECK-NOT: nn.add
// CHECK: kernel.invoke "matmul" @[[BACKWARD]](%{{.*}}) : (!nn.rows<records x 3xf32>) -> !nn.rows<records x 5xf32>
// CHECK: kernel.invoke "weight_gradient" @[[GRADIENT]]
func.func @train_step() {
  %x = nn.input "x" {index = 0 : i64} : !nn.rows<records x 5xf32>
  %w = nn.read @w : tensor<5x3xf32>
  %b = nn.read @b : tensor<3xf32>
  %y = nn.matmul %x, %w : !nn.rows<records x 5xf32>, tensor<5x3xf32> -> !nn.rows<records x 3xf32>
  %z = nn.add %y, %b : !nn.rows<records x 3xf32>, tensor<3xf32> -> !nn.rows<records x 3xf32>
  %dx = nn.matmul %z, %w transposed : !nn.rows<records x 3xf32>, tensor<5x3xf32> -> !nn.rows<records x 5xf32>
  %dw = nn.weight_grad %x, %z : !nn.rows<records x 5xf32>, !nn.rows<records x 3xf32> -> tensor<5x3xf32>
  %s = nn.total %dx : !nn.rows<records x 5xf32> -> tensor<f32>
  nn.gradient @w, %dw : tensor<5x3xf32>
  nn.output "loss", %s {index = 0 : i64} : tensor<f32>
  return
}

// Evaluation takes what the entry @pack has packed, columns of a weight too.
// CHECK-LABEL: func.func @evaluate
// CHECK-NOT: kernel.pack
// CHECK: kernel.invoke "matmul" @[[FORWARD]]
// CHECK-LABEL: func.func @pack
// CHECK: kernel.pack @[[FORWARD]]
// CHECK: %[[W:.*]] = nn.read @w
// CHECK: %[[S:.*]] = nn.slice %[[W]] {offset = 1 : i64}
// CHECK: kernel.pack @[[COLUMNS]], %[[S]] : tensor<5x2xf32>
func.func @evaluate() {
  %x = nn.input "x" {index = 0 : i64} : !nn.rows<records x 5xf32>
  %w = nn.read @w : tensor<5x3xf32>
  %y = nn.matmul %x, %w : !nn.rows<records x 5xf32>, tensor<5x3xf32> -> !nn.rows<records x 3xf32>
  %s = nn.slice %w {offset = 1 : i64} : tensor<5x3xf32> -> tensor<5x2xf32>
  %z = nn.matmul %x, %s : !nn.rows<records x 5xf32>, tensor<5x2xf32> -> !nn.rows<records x 2xf32>
  nn.output "answer", %y {index = 0 : i64} : !nn.rows<records x 3xf32>
  nn.output "columns", %z {index = 1 : i64} : !nn.rows<records x 2xf32>
  return
}
