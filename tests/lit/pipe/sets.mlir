// RUN: pipe-opt %s --penstock-pipe-to-nn | FileCheck %s
// RUN: pipe-opt %s --penstock-pipe-to-nn --penstock-derive-entries --penstock-autodiff --cse --canonicalize | FileCheck %s --check-prefix=STEP

// A set is a matrix of its labels, and its loss subtracts no large numbers; rows of length 1 never divide by 0.
// CHECK: {name = "topics", target = true, type = !nn.rows<records x 3xf32>}
// CHECK-LABEL: func.func @model()
// CHECK: %[[SQUARES:.*]] = nn.row_sum
// CHECK: %[[ABOVE:.*]] = nn.relu
// CHECK: %[[LEAST:.*]] = nn.add %[[ABOVE]]
// CHECK: %[[LENGTH:.*]] = nn.sqrt %[[LEAST]]
// CHECK: nn.div %{{.*}}, %[[LENGTH]]
// CHECK: %[[TOPICS:.*]] = nn.input "topics" {index = 1 : i64} : !nn.rows<records x 3xf32>
// CHECK: %[[ABSENT:.*]] = nn.softplus %[[LOGITS:.*]] : !nn.rows<records x 3xf32>
// CHECK: %[[NEGATIVE:.*]] = nn.neg %[[LOGITS]]
// CHECK: %[[PRESENT:.*]] = nn.softplus %[[NEGATIVE]]
// CHECK: nn.mul %[[PRESENT]], %[[WEIGHTS:.*]] : !nn.rows<records x 3xf32>, tensor<3xf32>
// CHECK: nn.output "loss"

// STEP-LABEL: func.func @train_step
// STEP: nn.sigmoid
// STEP: nn.gradient
pipe.pipeline @topics edition(1) {
  %text = pipe.column "text" : !pipe.text
  %tokens = pipe.feature "tokens" {input = 0 : i64} : !pipe.ids<"tokens", 31>
  %counts = pipe.call "counts"(%tokens) at "answer.counts_0" : (!pipe.ids<"tokens", 31>) -> !pipe.vector<31>
  %unit = pipe.call "normalize"(%counts) at "answer.normalize_0" with {epsilon = 1.0e-12 : f64} : (!pipe.vector<31>) -> !pipe.vector<31>
  %topics = pipe.column "topics" {input = 1 : i64, target = true} : !pipe.vector<3>
  %logits = pipe.call "linear"(%unit) at "answer" with {width = 3 : i64, bias = false} weights [{name = "weight", shape = array<i64: 31, 3>, initializer = "uniform", scale = 0.3 : f64, decays = true}] : (!pipe.vector<31>) -> !pipe.vector<3>
  %prob = pipe.call "sigmoid"(%logits) at "answer.sigmoid_0" : (!pipe.vector<3>) -> !pipe.vector<3>
  %loss = pipe.call "sigmoid_cross_entropy"(%logits, %topics) at "answer.sigmoid_cross_entropy_0" with {positive_weights = array<f64: 1.0, 3.0, 2.0>} : (!pipe.vector<3>, !pipe.vector<3>) -> !pipe.scalar
  pipe.answer "answer" %prob target "topics" decoder "multi_label" : !pipe.vector<3>
  pipe.objective "" %loss {kind = "sgd"} {clip_norm = 0.0 : f64}
}
