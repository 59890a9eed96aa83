// RUN: pipe-opt %s --penstock-form-regions | FileCheck %s

// Everything over the rows of one axis stands in one region; a sum over rows ends it.
kernel.dispatch @matmul_0 "matmul" [4, 7, 0, 7, 0]
kernel.dispatch @matmul_1 "matmul" [7, 4, 0, 4, 0]

// CHECK-LABEL: func.func @f
// CHECK: kernel.rows "records x tokens"
// CHECK: nn.embedding
// CHECK: kernel.invoke "matmul" @matmul_0
// CHECK: nn.gelu
// CHECK: kernel.invoke "matmul" @matmul_1
// CHECK: nn.column_sum
// CHECK: kernel.yield
// CHECK: kernel.invoke "segment_sum"
// CHECK: kernel.rows "records"
// CHECK: nn.softmax
// CHECK-NOT: kernel.rows "records x tokens"
func.func @f() {
  %ids = nn.input "tokens" {index = 0 : i64} : !nn.rows<records x @tokens x 1xi32>
  %t = nn.read @t : tensor<11x4xf32>
  %e = nn.embedding %ids, %t : !nn.rows<records x @tokens x 1xi32>, tensor<11x4xf32> -> !nn.rows<records x @tokens x 4xf32>
  %a = kernel.invoke "matmul" @matmul_0(%e) : (!nn.rows<records x @tokens x 4xf32>) -> !nn.rows<records x @tokens x 7xf32>
  %g = nn.gelu %a : !nn.rows<records x @tokens x 7xf32>
  %c = kernel.invoke "matmul" @matmul_1(%g) : (!nn.rows<records x @tokens x 7xf32>) -> !nn.rows<records x @tokens x 4xf32>
  %s = kernel.invoke "segment_sum"(%c) : (!nn.rows<records x @tokens x 4xf32>) -> !nn.rows<records x 4xf32>
  %p = nn.softmax %s : !nn.rows<records x 4xf32>
  %r = nn.relu %c : !nn.rows<records x @tokens x 4xf32>
  %n = nn.column_sum %r : !nn.rows<records x @tokens x 4xf32> -> tensor<4xf32>
  nn.output "answer", %p {index = 0 : i64} : !nn.rows<records x 4xf32>
  nn.output "sum", %n {index = 1 : i64} : tensor<4xf32>
  return
}
nn.global @t : tensor<11x4xf32> {tensor_class = "parameter"}
