// RUN: pipe-opt %s --penstock-form-regions --penstock-kernel-to-linalg | FileCheck %s

// Layers that differ in weights, handles and keys of random numbers share one code; what differs stands in the numbers. Another
// probability is another code, and so is adding one vector twice instead of two.
// CHECK: func.func private @penstock_step_0(
// CHECK: func.func private @penstock_step_1(
// CHECK-DAG: kernel.number {{[0-9]+}} : i64
// CHECK-DAG: kernel.get "handle"[
// CHECK-DAG: kernel.call "matmul"
// CHECK-DAG: kernel.call "dropout_row"
// CHECK: func.func private @penstock_step_6(
// CHECK-NOT: func.func
// CHECK: kernel.entry @evaluate
// CHECK-NEXT: kernel.step @penstock_step_0
// CHECK-NEXT: kernel.step @penstock_step_1 [[FIRST:\[.*\]]]
// CHECK-NEXT: kernel.step @penstock_step_2
// CHECK-NOT: kernel.step @penstock_step_1 [[FIRST]]
// CHECK: kernel.step @penstock_step_1
// CHECK-NEXT: kernel.step @penstock_step_2
// CHECK-NEXT: kernel.step @penstock_step_3
// CHECK-NEXT: kernel.step @penstock_step_2
// CHECK-NEXT: kernel.step @penstock_step_4
// CHECK-NEXT: kernel.step @penstock_step_2
// CHECK-NEXT: kernel.step @penstock_step_5
// CHECK-NEXT: kernel.step @penstock_step_6
// CHECK-NEXT: }
// Entries share code too.
// CHECK: kernel.entry @predict
// CHECK-NEXT: kernel.step @penstock_step_0
// CHECK-NEXT: kernel.step @penstock_step_1
// CHECK-NEXT: kernel.step @penstock_step_6
// CHECK-NEXT: }
kernel.dispatch @matmul_0 "matmul" [5, 5, 0, 5, 0]
kernel.dispatch @matmul_1 "matmul" [5, 5, 0, 5, 0]
kernel.dispatch @matmul_2 "matmul" [5, 5, 0, 5, 0]
kernel.dispatch @matmul_3 "matmul" [5, 5, 0, 5, 0]
kernel.dispatch @matmul_4 "matmul" [5, 5, 0, 5, 0]
func.func @evaluate() {
  %x = nn.input "x" {index = 0 : i64} : !nn.rows<records x @tokens x 5xf32>
  %b0 = nn.read @b0 : tensor<5xf32>
  %b1 = nn.read @b1 : tensor<5xf32>
  %s = kernel.invoke "segment_sum"(%x) : (!nn.rows<records x @tokens x 5xf32>) -> !nn.rows<records x 5xf32>
  %r0 = nn.broadcast_records %s : !nn.rows<records x 5xf32> -> !nn.rows<records x @tokens x 5xf32>
  %m0 = kernel.invoke "matmul" @matmul_0(%r0) : (!nn.rows<records x @tokens x 5xf32>) -> !nn.rows<records x @tokens x 5xf32>
  %a0 = nn.add %m0, %b0 : !nn.rows<records x @tokens x 5xf32>, tensor<5xf32> -> !nn.rows<records x @tokens x 5xf32>
  %d0 = nn.dropout %a0 {p = 0.1 : f64, key = 7 : i64} : !nn.rows<records x @tokens x 5xf32>
  %s0 = kernel.invoke "segment_sum"(%d0) : (!nn.rows<records x @tokens x 5xf32>) -> !nn.rows<records x 5xf32>
  %r1 = nn.broadcast_records %s0 : !nn.rows<records x 5xf32> -> !nn.rows<records x @tokens x 5xf32>
  %m1 = kernel.invoke "matmul" @matmul_1(%r1) : (!nn.rows<records x @tokens x 5xf32>) -> !nn.rows<records x @tokens x 5xf32>
  %a1 = nn.add %m1, %b1 : !nn.rows<records x @tokens x 5xf32>, tensor<5xf32> -> !nn.rows<records x @tokens x 5xf32>
  %d1 = nn.dropout %a1 {p = 0.1 : f64, key = -8 : i64} : !nn.rows<records x @tokens x 5xf32>
  %s1 = kernel.invoke "segment_sum"(%d1) : (!nn.rows<records x @tokens x 5xf32>) -> !nn.rows<records x 5xf32>
  %r2 = nn.broadcast_records %s1 : !nn.rows<records x 5xf32> -> !nn.rows<records x @tokens x 5xf32>
  %m2 = kernel.invoke "matmul" @matmul_2(%r2) : (!nn.rows<records x @tokens x 5xf32>) -> !nn.rows<records x @tokens x 5xf32>
  %a2 = nn.add %m2, %b1 : !nn.rows<records x @tokens x 5xf32>, tensor<5xf32> -> !nn.rows<records x @tokens x 5xf32>
  %d2 = nn.dropout %a2 {p = 0.2 : f64, key = 9 : i64} : !nn.rows<records x @tokens x 5xf32>
  %s2 = kernel.invoke "segment_sum"(%d2) : (!nn.rows<records x @tokens x 5xf32>) -> !nn.rows<records x 5xf32>
  %r3 = nn.broadcast_records %s2 : !nn.rows<records x 5xf32> -> !nn.rows<records x @tokens x 5xf32>
  %m3 = kernel.invoke "matmul" @matmul_3(%r3) : (!nn.rows<records x @tokens x 5xf32>) -> !nn.rows<records x @tokens x 5xf32>
  %a3 = nn.add %m3, %b0 : !nn.rows<records x @tokens x 5xf32>, tensor<5xf32> -> !nn.rows<records x @tokens x 5xf32>
  %c3 = nn.add %a3, %b1 : !nn.rows<records x @tokens x 5xf32>, tensor<5xf32> -> !nn.rows<records x @tokens x 5xf32>
  %d3 = nn.dropout %c3 {p = 0.1 : f64, key = 3 : i64} : !nn.rows<records x @tokens x 5xf32>
  %s3 = kernel.invoke "segment_sum"(%d3) : (!nn.rows<records x @tokens x 5xf32>) -> !nn.rows<records x 5xf32>
  %r4 = nn.broadcast_records %s3 : !nn.rows<records x 5xf32> -> !nn.rows<records x @tokens x 5xf32>
  %m4 = kernel.invoke "matmul" @matmul_4(%r4) : (!nn.rows<records x @tokens x 5xf32>) -> !nn.rows<records x @tokens x 5xf32>
  %a4 = nn.add %m4, %b0 : !nn.rows<records x @tokens x 5xf32>, tensor<5xf32> -> !nn.rows<records x @tokens x 5xf32>
  %c4 = nn.add %a4, %b0 : !nn.rows<records x @tokens x 5xf32>, tensor<5xf32> -> !nn.rows<records x @tokens x 5xf32>
  %d4 = nn.dropout %c4 {p = 0.1 : f64, key = 3 : i64} : !nn.rows<records x @tokens x 5xf32>
  %s4 = kernel.invoke "segment_sum"(%d4) : (!nn.rows<records x @tokens x 5xf32>) -> !nn.rows<records x 5xf32>
  nn.output "y", %s4 {index = 0 : i64} : !nn.rows<records x 5xf32>
  return
}
func.func @predict() {
  %x = nn.input "x" {index = 0 : i64} : !nn.rows<records x @tokens x 5xf32>
  %b0 = nn.read @b0 : tensor<5xf32>
  %b1 = nn.read @b1 : tensor<5xf32>
  %s = kernel.invoke "segment_sum"(%x) : (!nn.rows<records x @tokens x 5xf32>) -> !nn.rows<records x 5xf32>
  %r0 = nn.broadcast_records %s : !nn.rows<records x 5xf32> -> !nn.rows<records x @tokens x 5xf32>
  %m0 = kernel.invoke "matmul" @matmul_0(%r0) : (!nn.rows<records x @tokens x 5xf32>) -> !nn.rows<records x @tokens x 5xf32>
  %a0 = nn.add %m0, %b1 : !nn.rows<records x @tokens x 5xf32>, tensor<5xf32> -> !nn.rows<records x @tokens x 5xf32>
  %d0 = nn.dropout %a0 {p = 0.1 : f64, key = 11 : i64} : !nn.rows<records x @tokens x 5xf32>
  %s0 = kernel.invoke "segment_sum"(%d0) : (!nn.rows<records x @tokens x 5xf32>) -> !nn.rows<records x 5xf32>
  nn.output "y", %s0 {index = 0 : i64} : !nn.rows<records x 5xf32>
  return
}
nn.global @b0 : tensor<5xf32> {tensor_class = "parameter"}
nn.global @b1 : tensor<5xf32> {tensor_class = "parameter"}
