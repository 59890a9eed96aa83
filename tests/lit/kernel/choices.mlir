// RUN: pipe-opt %s --penstock-nn-to-kernel | FileCheck %s

// Who computes a handle stands in the program: what the rows of its level and class of shape name, else our own kernels.
module attributes {penstock.level = "avx512", penstock.kernels = ["matmul avx512 small onednn", "matmul avx2 medium onednn"]} {
// CHECK-DAG: kernel.dispatch @matmul_{{[0-9]+}} "matmul" [5, 3, 0, 3, 0] by "onednn"
// CHECK-DAG: kernel.dispatch @matmul_{{[0-9]+}} "matmul" [3, 16411, 0, 16411, 0]{{$}}
// CHECK-DAG: kernel.dispatch @weight_gradient_{{[0-9]+}} "weight_gradient" [5, 3, 0]{{$}}
nn.global @small : tensor<5x3xf32> {tensor_class = "parameter"}
nn.global @medium : tensor<3x16411xf32> {tensor_class = "parameter"}

func.func @train_step() {
  %x = nn.input "x" {index = 0 : i64} : !nn.rows<records x 5xf32>
  %w = nn.read @small : tensor<5x3xf32>
  %v = nn.read @medium : tensor<3x16411xf32>
  %y = nn.matmul %x, %w : !nn.rows<records x 5xf32>, tensor<5x3xf32> -> !nn.rows<records x 3xf32>
  %z = nn.matmul %y, %v : !nn.rows<records x 3xf32>, tensor<3x16411xf32> -> !nn.rows<records x 16411xf32>
  %dw = nn.weight_grad %x, %y : !nn.rows<records x 5xf32>, !nn.rows<records x 3xf32> -> tensor<5x3xf32>
  %s = nn.total %z : !nn.rows<records x 16411xf32> -> tensor<f32>
  nn.gradient @small, %dw : tensor<5x3xf32>
  nn.output "loss", %s {index = 0 : i64} : tensor<f32>
  return
}
}
