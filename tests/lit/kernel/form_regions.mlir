// RUN: pipe-opt %s --penstock-form-regions | FileCheck %s

// Everything over the rows of one axis stands in one region; a sum over rows ends it.
kernel.dispatch @matmul_0 "matmul" [4, 7, 0, 0]
kernel.dispatch @matmul_1 "matmul" [7, 4, 0, 0]

// CHECK-LABEL: func.func @f
// CHECK: kernel.rows "@tokens"
// CHECK: nn.embedding
// CHECK: kernel.invoke "matmul" @matmul_0
// CHECK: nn.gelu
// CHECK: kernel.invoke "matmul" @matmul_1
// CHECK: nn.column_sum
// CHECK: kernel.yield
// CHECK: kernel.invoke "segment_sum"
// CHECK: kernel.rows "records"
// CHECK: nn.softmax
// CHECK-NOT: kernel.rows "@tokens"
func.func @f() {
  %ids = nn.input "tokens" {index = 0 : i64} : !nn.ragged<@tokens, i32>
  %t = nn.parameter @t : tensor<11x4xf32>
  %e = nn.embedding %ids, %t : !nn.ragged<@tokens, i32>, tensor<11x4xf32> -> !nn.ragged<@tokens, 4xf32>
  %a = kernel.invoke "matmul" @matmul_0(%e) : (!nn.ragged<@tokens, 4xf32>) -> !nn.ragged<@tokens, 7xf32>
  %g = nn.gelu %a : !nn.ragged<@tokens, 7xf32>
  %c = kernel.invoke "matmul" @matmul_1(%g) : (!nn.ragged<@tokens, 7xf32>) -> !nn.ragged<@tokens, 4xf32>
  %s = kernel.invoke "segment_sum"(%c) : (!nn.ragged<@tokens, 4xf32>) -> tensor<?x4xf32>
  %p = nn.softmax %s : tensor<?x4xf32>
  %r = nn.relu %c : !nn.ragged<@tokens, 4xf32>
  %n = nn.column_sum %r : !nn.ragged<@tokens, 4xf32> -> tensor<4xf32>
  nn.output "answer", %p {index = 0 : i64} : tensor<?x4xf32>
  nn.output "sum", %n {index = 1 : i64} : tensor<4xf32>
  return
}
nn.global @t : tensor<11x4xf32> {tensor_class = "parameter"}
