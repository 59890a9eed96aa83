// RUN: pipe-opt %s --penstock-derive-entries --penstock-autodiff | FileCheck %s

// A step in parts is two entries: the gradient, and the update.
// CHECK-LABEL: func.func @gradient()
// CHECK: nn.gradient @w
// CHECK-NEXT: nn.accumulate
// CHECK-NEXT: return
// CHECK-LABEL: func.func @apply()
// CHECK-NEXT: nn.apply "adamw"
// CHECK-NEXT: return
// CHECK-NOT: @train_step
module attributes {nn.accumulate, nn.objectives = [{kind = "adamw"}]} {
  nn.global @w : tensor<4x3xf32> {tensor_class = "parameter"}
  func.func @model() {
    %x = nn.input "x" {index = 0 : i64} : !nn.rows<records x 4xf32>
    %w = nn.read @w : tensor<4x3xf32>
    %z = nn.matmul %x, %w : !nn.rows<records x 4xf32>, tensor<4x3xf32> -> !nn.rows<records x 3xf32>
    %loss = nn.total %z : !nn.rows<records x 3xf32> -> tensor<f32>
    nn.output "loss", %loss {index = 0 : i64} : tensor<f32>
    return
  }
}
