// RUN: pipe-opt %s --penstock-autodiff --cse --canonicalize --split-input-file --verify-diagnostics | FileCheck %s

// Gradients of a conditional random field: of the logits at each row, of the transitions a row a record, summed over the records.
// CHECK-LABEL: func.func @field
// CHECK: %[[LOSS:.*]], %[[ALPHA:.*]] = nn.crf_loss %[[LOGITS:.*]], %[[TAGS:.*]], %[[W:.*]] :
// CHECK: %{{.*}}, %[[EACH:.*]] = nn.crf_loss_grad %[[LOGITS]], %[[TAGS]], %[[W]], %[[ALPHA]], %{{.*}} :
// CHECK: %[[SUM:.*]] = nn.column_sum %[[EACH]] : !nn.rows<records x 15xf32> -> tensor<15xf32>
// CHECK: nn.gradient @w, %[[SUM]]
nn.global @w : tensor<15xf32> {tensor_class = "parameter"}
nn.global @table : tensor<7x3xf32> {tensor_class = "parameter"}
func.func @field() attributes {nn.differentiate} {
  %w = nn.read @w : tensor<15xf32>
  %table = nn.read @table : tensor<7x3xf32>
  %ids = nn.input "tokens" {index = 0 : i64} : !nn.rows<records x @tokens x 1xi32>
  %tags = nn.input "tag" {index = 1 : i64} : !nn.rows<records x @tokens x 1xi32>
  %x = nn.embedding %ids, %table : !nn.rows<records x @tokens x 1xi32>, tensor<7x3xf32> -> !nn.rows<records x @tokens x 3xf32>
  %y, %alpha = nn.crf_loss %x, %tags, %w : !nn.rows<records x @tokens x 3xf32>, !nn.rows<records x @tokens x 1xi32>, tensor<15xf32> -> !nn.rows<records x 1xf32>, !nn.rows<records x @tokens x 3xf32>
  %loss = nn.total %y : !nn.rows<records x 1xf32> -> tensor<f32>
  nn.output "loss", %loss {index = 0 : i64} : tensor<f32>
  return
}

// -----

func.func @transitions(%x: !nn.rows<records x @tokens x 3xf32>, %w: tensor<9xf32>) {
  // expected-error @+1 {{transitions of 3 tags are a vector of 15 numbers}}
  %d, %alpha, %back = nn.crf_decode %x, %w : !nn.rows<records x @tokens x 3xf32>, tensor<9xf32> -> !nn.rows<records x @tokens x 3xf32>, !nn.rows<records x @tokens x 3xf32>, !nn.rows<records x @tokens x 3xi32>
  return
}

// -----

func.func @axes(%x: !nn.rows<records x @tokens x 3xf32>, %t: !nn.rows<records x @words x 1xi32>, %w: tensor<15xf32>) {
  // expected-error @+1 {{logits and targets lie on one axis}}
  %y, %alpha = nn.crf_loss %x, %t, %w : !nn.rows<records x @tokens x 3xf32>, !nn.rows<records x @words x 1xi32>, tensor<15xf32> -> !nn.rows<records x 1xf32>, !nn.rows<records x @tokens x 3xf32>
  return
}
