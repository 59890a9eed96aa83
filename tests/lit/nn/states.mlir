// RUN: pipe-opt %s --penstock-derive-entries --penstock-autodiff | FileCheck %s
// RUN: pipe-opt %s --penstock-derive-entries --penstock-autodiff --penstock-nn-to-kernel --penstock-form-regions | FileCheck %s --check-prefix=ORDER

// Training updates states; evaluation and prediction read what it left. Only the parameter has a gradient.
// CHECK-LABEL: func.func @train_step
// CHECK: nn.update @mean
// CHECK: nn.gradient @w
// CHECK-NOT: nn.gradient
// CHECK: nn.apply
// CHECK-LABEL: func.func @evaluate
// CHECK: nn.read @mean
// CHECK-NOT: nn.update
// CHECK-LABEL: func.func @predict
// CHECK: nn.read @mean
// CHECK-NOT: nn.update

// The update was written first and runs last: what reads the state reads what stood before the step.
// ORDER-LABEL: func.func @train_step
// ORDER: nn.sub
// ORDER: nn.update @mean
// ORDER: nn.apply
module attributes {nn.objectives = [{kind = "sgd"}]} {
  nn.global @w : tensor<4x3xf32> {tensor_class = "parameter"}
  nn.global @mean : tensor<3xf32> {tensor_class = "model_state"}
  func.func @model() {
    %x = nn.input "x" {index = 0 : i64} : !nn.rows<records x 4xf32>
    %mean = nn.read @mean : tensor<3xf32>
    %c = nn.constant dense<0.5> : tensor<f32> : tensor<f32>
    %next = nn.add %mean, %c : tensor<3xf32>, tensor<f32> -> tensor<3xf32>
    nn.update @mean, %next : tensor<3xf32>
    %w = nn.read @w : tensor<4x3xf32>
    %z = nn.matmul %x, %w : !nn.rows<records x 4xf32>, tensor<4x3xf32> -> !nn.rows<records x 3xf32>
    %d = nn.sub %z, %mean : !nn.rows<records x 3xf32>, tensor<3xf32> -> !nn.rows<records x 3xf32>
    %t = nn.tanh %d : !nn.rows<records x 3xf32>
    %loss = nn.total %t : !nn.rows<records x 3xf32> -> tensor<f32>
    nn.output "loss", %loss {index = 0 : i64} : tensor<f32>
    nn.output "answer", %d {index = 1 : i64} : !nn.rows<records x 3xf32>
    return
  }
}
