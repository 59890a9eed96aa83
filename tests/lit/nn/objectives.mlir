// RUN: pipe-opt %s --penstock-derive-entries --penstock-autodiff | FileCheck %s

// Two players: each step differentiates for what its objective moves, and writes the states of it alone; cotangents pass through the rest.
// CHECK: nn.losses = [array<f64: 1.000000e+00, 5.000000e-01>, array<f64: 1.000000e+00>]

// CHECK-LABEL: func.func @train_step.critic()
// CHECK-NOT: nn.objective
// CHECK: nn.update @seen
// CHECK: nn.output "loss", %{{.*}} {index = 0 : i64}
// CHECK-NOT: nn.gradient @g
// CHECK: nn.gradient @c
// CHECK-NOT: nn.gradient
// CHECK: nn.apply "adam" {beta1 = 5.000000e-01 : f64}

// CHECK-LABEL: func.func @train_step.generator()
// CHECK-SAME: nn.objective = 1 : i64
// CHECK: nn.output "loss", %{{.*}} {index = 0 : i64}
// CHECK-NOT: nn.update
// CHECK: nn.gradient @g
// CHECK-NOT: nn.gradient
// CHECK: nn.apply "sgd" {{.*}}objective = 1 : i64

// CHECK-LABEL: func.func @evaluate()
// CHECK-NOT: nn.update
// CHECK-DAG: nn.output "answer", %{{.*}} {index = 6 : i64}
// CHECK-DAG: nn.output "items 2", %{{.*}} {index = 4 : i64}

// CHECK-LABEL: func.func @predict()
// CHECK-NOT: loss
// CHECK: nn.output "answer", %{{.*}} {index = 0 : i64}
module attributes {nn.objectives = [{kind = "adam", beta1 = 0.5 : f64, name = "critic"}, {kind = "sgd", name = "generator"}]} {
  nn.global @g : tensor<3x2xf32> {tensor_class = "parameter", objective = 1 : i64}
  nn.global @c : tensor<2x1xf32> {tensor_class = "parameter"}
  nn.global @seen : tensor<2xf32> {tensor_class = "model_state"}
  func.func @model() {
    %noise = nn.input "noise" {index = 0 : i64} : !nn.rows<records x 3xf32>
    %real = nn.input "real" {index = 1 : i64} : !nn.rows<records x 2xf32>
    %g = nn.read @g : tensor<3x2xf32>
    %c = nn.read @c : tensor<2x1xf32>
    %n = nn.record_count : tensor<f32>
    %half = nn.constant dense<0.5> : tensor<f32> : tensor<f32>
    %fake = nn.matmul %noise, %g : !nn.rows<records x 3xf32>, tensor<3x2xf32> -> !nn.rows<records x 2xf32>
    %r = nn.matmul %real, %c : !nn.rows<records x 2xf32>, tensor<2x1xf32> -> !nn.rows<records x 1xf32>
    %f = nn.matmul %fake, %c : !nn.rows<records x 2xf32>, tensor<2x1xf32> -> !nn.rows<records x 1xf32>
    %sum = nn.column_sum %real : !nn.rows<records x 2xf32> -> tensor<2xf32>
    nn.update @seen, %sum : tensor<2xf32>
    %r1 = nn.neg %r : !nn.rows<records x 1xf32>
    %s1 = nn.softplus %r1 : !nn.rows<records x 1xf32>
    %s2 = nn.softplus %f : !nn.rows<records x 1xf32>
    %m1 = nn.mean %s1 by %n : !nn.rows<records x 1xf32>, tensor<f32> -> tensor<f32>
    %m2 = nn.mean %s2 by %n : !nn.rows<records x 1xf32>, tensor<f32> -> tensor<f32>
    %m3 = nn.mul %m2, %half : tensor<f32>, tensor<f32> -> tensor<f32>
    %critic = nn.add %m1, %m3 : tensor<f32>, tensor<f32> -> tensor<f32>
    %f1 = nn.neg %f : !nn.rows<records x 1xf32>
    %s3 = nn.softplus %f1 : !nn.rows<records x 1xf32>
    %generator = nn.mean %s3 by %n : !nn.rows<records x 1xf32>, tensor<f32> -> tensor<f32>
    nn.output "critic.loss", %critic {index = 0 : i64} : tensor<f32>
    nn.output "generator.loss", %generator {index = 1 : i64} : tensor<f32>
    nn.output "answer", %fake {index = 2 : i64} : !nn.rows<records x 2xf32>
    return
  }
}
