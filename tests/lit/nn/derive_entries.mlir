// RUN: pipe-opt %s --penstock-derive-entries | FileCheck %s
// RUN: pipe-opt %s --penstock-derive-entries | FileCheck %s --check-prefix=STEP
// RUN: pipe-opt %s --penstock-derive-entries | FileCheck %s --check-prefix=PREDICT

// CHECK-NOT: @model

// The step writes the loss alone, keeps dropout and ends with the optimizer.
// STEP-LABEL: func.func @train_step
// STEP-SAME: nn.differentiate
// STEP: nn.dropout
// STEP-NOT: nn.output "answer"
// STEP-NOT: nn.softmax
// STEP: %[[N:.*]] = nn.record_count
// STEP-NEXT: %[[SUM:.*]] = nn.total
// STEP-NEXT: %[[LOSS:.*]] = nn.div %[[SUM]], %[[N]]
// STEP-NOT: nn.mean
// STEP: nn.output "loss", %{{.*}} {index = 0 : i64}
// STEP: nn.apply "adamw" {{.*}}weight_decay = 1.000000e-02
// STEP: return

// CHECK-LABEL: func.func @evaluate
// CHECK-NOT: nn.dropout
// CHECK: nn.attention %{{[^{]*}} {
// CHECK-NOT: dropout = 1.000000e-01
// The host adds up the items of the loss and their weights, so it gets them row by row.
// CHECK: %[[ITEMS:.*]] = nn.cross_entropy_rows
// CHECK: %[[WEIGHTS:.*]] = nn.class_weight
// CHECK-NOT: nn.total
// CHECK-DAG: nn.output "items 0", %[[ITEMS]] {index = 0 : i64} : !nn.rows<records x 1xf32>
// CHECK-DAG: nn.output "weights 0", %[[WEIGHTS]] {index = 1 : i64} : !nn.rows<records x 1xf32>
// CHECK-DAG: nn.output "answer", %{{.*}} {index = 2 : i64}
// CHECK-NOT: nn.apply

// Without a loss nothing reads the target.
// PREDICT-LABEL: func.func @predict
// PREDICT-NOT: "label"
// PREDICT-NOT: nn.cross_entropy_rows
// PREDICT: nn.output "answer", %{{.*}} {index = 0 : i64}
module attributes {nn.objectives = [{kind = "adamw", weight_decay = 0.01 : f64}]} {
  nn.global @w : tensor<4x3xf32> {tensor_class = "parameter"}
  func.func @model() {
    %x = nn.input "x" {index = 0 : i64} : !nn.rows<records x @tokens x 12xf32>
    %label = nn.input "label" {index = 1 : i64} : !nn.rows<records x 1xi32>
    %w = nn.read @w : tensor<4x3xf32>
    %a, %lse = nn.attention %x {heads = 2 : i64, dropout = 0.1 : f64, key = 5 : i64} : !nn.rows<records x @tokens x 12xf32> -> !nn.rows<records x @tokens x 4xf32>, !nn.rows<records x @tokens x 2xf32>
    %f = nn.segment_first %a : !nn.rows<records x @tokens x 4xf32> -> !nn.rows<records x 4xf32>
    %d = nn.dropout %f {p = 0.5 : f64, key = 7 : i64} : !nn.rows<records x 4xf32>
    %z = nn.matmul %d, %w : !nn.rows<records x 4xf32>, tensor<4x3xf32> -> !nn.rows<records x 3xf32>
    %rows = nn.cross_entropy_rows %z, %label : !nn.rows<records x 3xf32>, !nn.rows<records x 1xi32> -> !nn.rows<records x 1xf32>
    %weights = nn.class_weight %label {class_weights = array<f64>} : !nn.rows<records x 1xi32> -> !nn.rows<records x 1xf32>
    %loss = nn.mean %rows by %weights : !nn.rows<records x 1xf32>, !nn.rows<records x 1xf32> -> tensor<f32>
    %p = nn.softmax %z : !nn.rows<records x 3xf32>
    nn.output "loss", %loss {index = 0 : i64} : tensor<f32>
    nn.output "answer", %p {index = 1 : i64} : !nn.rows<records x 3xf32>
    return
  }
}
