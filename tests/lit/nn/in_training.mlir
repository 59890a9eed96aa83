// RUN: pipe-opt %s --penstock-derive-entries | FileCheck %s
// RUN: pipe-opt %s --penstock-derive-entries | FileCheck %s --check-prefix=GONE

// GONE-NOT: nn.in_training

// A step reads the mean of its batch and updates the state that belongs to what the loss reads; that of the answer alone, with all that only
// it needs, is not computed.
// CHECK-LABEL: func.func @train_step
// CHECK: %[[MEAN:.*]] = nn.div
// CHECK: %[[CENTERED:.*]] = nn.sub %{{.*}}, %[[MEAN]]
// CHECK-NOT: nn.sub
// CHECK: nn.update @mean, %{{.*}} : tensor<3xf32>{{$}}
// CHECK-NOT: nn.update @other
// CHECK: nn.update @always
// CHECK: nn.apply

// CHECK-LABEL: func.func @evaluate
// CHECK: %[[STATE:.*]] = nn.read @mean
// CHECK-NOT: nn.column_sum
// CHECK: nn.sub %{{.*}}, %[[STATE]]
// CHECK-NOT: nn.update
module attributes {nn.objectives = [{kind = "sgd"}]} {
  nn.global @mean : tensor<3xf32> {tensor_class = "model_state"}
  nn.global @other : tensor<3xf32> {tensor_class = "model_state"}
  nn.global @always : tensor<1xf32> {tensor_class = "training_state", notice = "steps"}
  func.func @model() {
    %x = nn.input "x" {index = 0 : i64} : !nn.rows<records x 3xf32>
    %mean = nn.read @mean : tensor<3xf32>
    %other = nn.read @other : tensor<3xf32>
    %count = nn.read @always : tensor<1xf32>
    %n = nn.record_count : tensor<f32>
    %sum = nn.column_sum %x : !nn.rows<records x 3xf32> -> tensor<3xf32>
    %own = nn.div %sum, %n : tensor<3xf32>, tensor<f32> -> tensor<3xf32>
    %used = nn.in_training %own, %mean : tensor<3xf32>
    %y = nn.sub %x, %used : !nn.rows<records x 3xf32>, tensor<3xf32> -> !nn.rows<records x 3xf32>
    %next = nn.mul %own, %n : tensor<3xf32>, tensor<f32> -> tensor<3xf32>
    nn.update @mean, %next : tensor<3xf32> of %y : !nn.rows<records x 3xf32>
    %z = nn.sub %x, %other : !nn.rows<records x 3xf32>, tensor<3xf32> -> !nn.rows<records x 3xf32>
    nn.update @other, %next : tensor<3xf32> of %z : !nn.rows<records x 3xf32>
    %more = nn.add %count, %n : tensor<1xf32>, tensor<f32> -> tensor<1xf32>
    nn.update @always, %more : tensor<1xf32>
    %loss = nn.total %y : !nn.rows<records x 3xf32> -> tensor<f32>
    nn.output "loss", %loss {index = 0 : i64} : tensor<f32>
    nn.output "y", %y {index = 1 : i64} : !nn.rows<records x 3xf32>
    nn.output "z", %z {index = 2 : i64} : !nn.rows<records x 3xf32>
    return
  }
}
