// RUN: pipe-opt %s --penstock-derive-entries --split-input-file | FileCheck %s

// Two losses with weights of their own, a regularizer and a number: four sums by four weights. In parts each sum is divided by the weight
// of the whole step, which the host adds up from @weights.
// CHECK: nn.losses = [array<f64: 1.000000e+00, -2.500000e-01, 5.000000e-01, 3.000000e+00>]
// CHECK-LABEL: func.func @weights
// CHECK-NOT: nn.cross_entropy_rows
// CHECK: nn.output "weight 0", %{{.*}} {index = 0 : i64} : tensor<f32>
// CHECK: nn.output "weight 1", %{{.*}} {index = 1 : i64} : tensor<f32>
// CHECK: nn.output "weight 2", %{{.*}} {index = 2 : i64} : tensor<f32>
// CHECK: nn.output "weight 3", %{{.*}} {index = 3 : i64} : tensor<f32>
// CHECK-NOT: nn.output
// CHECK-LABEL: func.func @gradient
// CHECK: %[[W0:.*]] = nn.step_weight 0
// CHECK: %[[S0:.*]] = nn.total
// CHECK: nn.div %[[S0]], %[[W0]]
// CHECK: nn.step_weight 1
// CHECK: nn.step_weight 2
// CHECK: nn.step_weight 3
// CHECK: nn.output "loss", %{{.*}} {index = 0 : i64}
// CHECK-NEXT: nn.accumulate
// CHECK-LABEL: func.func @evaluate
// CHECK-DAG: nn.output "items 0", %{{.*}} {index = 0 : i64} : !nn.rows<records x @tokens x 1xf32>
// CHECK-DAG: nn.output "weights 0", %{{.*}} {index = 1 : i64} : !nn.rows<records x @tokens x 1xf32>
// CHECK-DAG: nn.output "items 1", %{{.*}} {index = 2 : i64} : !nn.rows<records x 1xf32>
// CHECK-DAG: nn.output "weights 1", %{{.*}} {index = 3 : i64} : tensor<f32>
// CHECK-DAG: nn.output "items 2", %{{.*}} {index = 4 : i64} : tensor<f32>
// CHECK-DAG: nn.output "answer", %{{.*}} {index = 8 : i64}
module attributes {nn.accumulate, nn.objectives = [{kind = "sgd"}]} {
  nn.global @w : tensor<4x3xf32> {tensor_class = "parameter"}
  func.func @model() {
    %x = nn.input "x" {index = 0 : i64} : !nn.rows<records x @tokens x 4xf32>
    %tag = nn.input "tag" {index = 1 : i64} : !nn.rows<records x @tokens x 1xi32>
    %price = nn.input "price" {index = 2 : i64} : !nn.rows<records x 3xf32>
    %w = nn.read @w : tensor<4x3xf32>
    %z = nn.matmul %x, %w : !nn.rows<records x @tokens x 4xf32>, tensor<4x3xf32> -> !nn.rows<records x @tokens x 3xf32>
    %rows = nn.cross_entropy_rows %z, %tag : !nn.rows<records x @tokens x 3xf32>, !nn.rows<records x @tokens x 1xi32> -> !nn.rows<records x @tokens x 1xf32>
    %tagged = nn.class_weight %tag {class_weights = array<f64>} : !nn.rows<records x @tokens x 1xi32> -> !nn.rows<records x @tokens x 1xf32>
    %a = nn.mean %rows by %tagged : !nn.rows<records x @tokens x 1xf32>, !nn.rows<records x @tokens x 1xf32> -> tensor<f32>
    %f = nn.segment_sum %z : !nn.rows<records x @tokens x 3xf32> -> !nn.rows<records x 3xf32>
    %d = nn.sub %f, %price : !nn.rows<records x 3xf32>, !nn.rows<records x 3xf32> -> !nn.rows<records x 3xf32>
    %n = nn.record_count : tensor<f32>
    %b = nn.mean %d by %n : !nn.rows<records x 3xf32>, tensor<f32> -> tensor<f32>
    %squares = nn.mul %w, %w : tensor<4x3xf32>, tensor<4x3xf32> -> tensor<4x3xf32>
    %sum = nn.total %squares : tensor<4x3xf32> -> tensor<f32>
    %one = nn.constant dense<1.0> : tensor<f32> : tensor<f32>
    %half = nn.constant dense<0.5> : tensor<f32> : tensor<f32>
    %four = nn.constant dense<4.0> : tensor<f32> : tensor<f32>
    %three = nn.constant dense<3.0> : tensor<f32> : tensor<f32>
    %l2 = nn.mean %sum by %one : tensor<f32>, tensor<f32> -> tensor<f32>
    %quarter = nn.div %b, %four : tensor<f32>, tensor<f32> -> tensor<f32>
    %ab = nn.sub %a, %quarter : tensor<f32>, tensor<f32> -> tensor<f32>
    %scaled = nn.mul %l2, %half : tensor<f32>, tensor<f32> -> tensor<f32>
    %abl = nn.add %ab, %scaled : tensor<f32>, tensor<f32> -> tensor<f32>
    %loss = nn.add %abl, %three : tensor<f32>, tensor<f32> -> tensor<f32>
    nn.output "loss", %loss {index = 0 : i64} : tensor<f32>
    nn.output "answer", %f {index = 1 : i64} : !nn.rows<records x 3xf32>
    return
  }
}

// -----

// What is no sum of losses counts as a whole, by the records: its means are those of the part.
// CHECK: nn.losses = [array<f64: 1.000000e+00>]
// CHECK-LABEL: func.func @gradient
// CHECK: %[[A:.*]] = nn.div
// CHECK: %[[SQUARE:.*]] = nn.mul %[[A]], %[[A]]
// CHECK: %[[RECORDS:.*]] = nn.record_count
// CHECK: %[[ITEM:.*]] = nn.mul %[[SQUARE]], %[[RECORDS]]
// CHECK: %[[WEIGHT:.*]] = nn.step_weight 0
// CHECK: nn.div %[[ITEM]], %[[WEIGHT]]
module attributes {nn.accumulate, nn.objectives = [{kind = "sgd"}]} {
  nn.global @w : tensor<4x1xf32> {tensor_class = "parameter"}
  func.func @model() {
    %x = nn.input "x" {index = 0 : i64} : !nn.rows<records x 4xf32>
    %w = nn.read @w : tensor<4x1xf32>
    %z = nn.matmul %x, %w : !nn.rows<records x 4xf32>, tensor<4x1xf32> -> !nn.rows<records x 1xf32>
    %n = nn.record_count : tensor<f32>
    %a = nn.mean %z by %n : !nn.rows<records x 1xf32>, tensor<f32> -> tensor<f32>
    %loss = nn.mul %a, %a : tensor<f32>, tensor<f32> -> tensor<f32>
    nn.output "loss", %loss {index = 0 : i64} : tensor<f32>
    return
  }
}
