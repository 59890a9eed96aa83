// RUN: pipe-opt %s --penstock-fuse-segments | FileCheck %s

// CHECK-LABEL: func.func @bag
// CHECK-NOT: nn.counts
// CHECK: nn.bag_sum
// CHECK-NOT: nn.matmul
func.func @bag() {
  %ids = nn.input "tokens" {index = 0 : i64} : !nn.rows<records x @tokens x 1xi32>
  %w = nn.read @w : tensor<31x3xf32>
  %c = nn.counts %ids : !nn.rows<records x @tokens x 1xi32> -> !nn.rows<records x 31xf32>
  %y = nn.matmul %c, %w : !nn.rows<records x 31xf32>, tensor<31x3xf32> -> !nn.rows<records x 3xf32>
  nn.output "y", %y {index = 0 : i64} : !nn.rows<records x 3xf32>
  return
}

// The transposed product is no sum of table rows.
// CHECK-LABEL: func.func @bag_transposed
// CHECK: nn.counts
// CHECK: nn.matmul
func.func @bag_transposed() {
  %ids = nn.input "tokens" {index = 0 : i64} : !nn.rows<records x @tokens x 1xi32>
  %v = nn.read @v : tensor<3x31xf32>
  %c = nn.counts %ids : !nn.rows<records x @tokens x 1xi32> -> !nn.rows<records x 31xf32>
  %y = nn.matmul %c, %v transposed : !nn.rows<records x 31xf32>, tensor<3x31xf32> -> !nn.rows<records x 3xf32>
  nn.output "y", %y {index = 0 : i64} : !nn.rows<records x 3xf32>
  return
}

// A convolution with bias and activation under a maximum: the convolution's rows never exist.
// CHECK-LABEL: func.func @cnn
// CHECK-NOT: nn.conv1d %
// CHECK: %[[M:.*]], %{{.*}} = nn.conv1d_max
// CHECK: %[[A:.*]] = nn.add %[[M]], %{{.*}} : !nn.rows<records x 7xf32>, tensor<7xf32> -> !nn.rows<records x 7xf32>
// CHECK: %[[R:.*]] = nn.relu %[[A]] : !nn.rows<records x 7xf32>
// CHECK: nn.output "y", %[[R]]
func.func @cnn() {
  %x = nn.input "x" {index = 0 : i64} : !nn.rows<records x @tokens x 5xf32>
  %w = nn.read @conv : tensor<3x5x7xf32>
  %b = nn.read @bias : tensor<7xf32>
  %c = nn.conv1d %x, %w : !nn.rows<records x @tokens x 5xf32>, tensor<3x5x7xf32> -> !nn.rows<records x @tokens x 7xf32>
  %a = nn.add %c, %b : !nn.rows<records x @tokens x 7xf32>, tensor<7xf32> -> !nn.rows<records x @tokens x 7xf32>
  %r = nn.relu %a : !nn.rows<records x @tokens x 7xf32>
  %y, %at = nn.segment_max %r : !nn.rows<records x @tokens x 7xf32> -> !nn.rows<records x 7xf32>, !nn.rows<records x 7xi32>
  nn.output "y", %y {index = 0 : i64} : !nn.rows<records x 7xf32>
  return
}

// A chain of any length moves whole: fourteen ops here, and nothing is left on the rows.
// CHECK-LABEL: func.func @long
// CHECK: %[[L0:.*]], %{{.*}} = nn.conv1d_max
// CHECK-NEXT: %[[L1:.*]] = nn.relu %[[L0]] : !nn.rows<records x 7xf32>
// CHECK-NEXT: %[[L2:.*]] = nn.tanh %[[L1]] : !nn.rows<records x 7xf32>
// CHECK-NEXT: %[[L3:.*]] = nn.sigmoid %[[L2]] : !nn.rows<records x 7xf32>
// CHECK-NEXT: %[[L4:.*]] = nn.exp %[[L3]] : !nn.rows<records x 7xf32>
// CHECK-NEXT: %[[L5:.*]] = nn.relu %[[L4]] : !nn.rows<records x 7xf32>
// CHECK-NEXT: %[[L6:.*]] = nn.tanh %[[L5]] : !nn.rows<records x 7xf32>
// CHECK-NEXT: %[[L7:.*]] = nn.sigmoid %[[L6]] : !nn.rows<records x 7xf32>
// CHECK-NEXT: %[[L8:.*]] = nn.exp %[[L7]] : !nn.rows<records x 7xf32>
// CHECK-NEXT: %[[L9:.*]] = nn.relu %[[L8]] : !nn.rows<records x 7xf32>
// CHECK-NEXT: %[[L10:.*]] = nn.tanh %[[L9]] : !nn.rows<records x 7xf32>
// CHECK-NEXT: %[[L11:.*]] = nn.sigmoid %[[L10]] : !nn.rows<records x 7xf32>
// CHECK-NEXT: %[[L12:.*]] = nn.exp %[[L11]] : !nn.rows<records x 7xf32>
// CHECK-NEXT: %[[L13:.*]] = nn.add %[[L12]], %{{.*}} : !nn.rows<records x 7xf32>, tensor<f32>
// CHECK-NEXT: %[[L14:.*]] = nn.relu %[[L13]] : !nn.rows<records x 7xf32>
// CHECK-NEXT: nn.output "y", %[[L14]]
func.func @long() {
  %x = nn.input "x" {index = 0 : i64} : !nn.rows<records x @tokens x 5xf32>
  %w = nn.read @conv : tensor<3x5x7xf32>
  %one = nn.constant dense<1.0> : tensor<f32> : tensor<f32>
  %c0 = nn.conv1d %x, %w : !nn.rows<records x @tokens x 5xf32>, tensor<3x5x7xf32> -> !nn.rows<records x @tokens x 7xf32>
  %c1 = nn.relu %c0 : !nn.rows<records x @tokens x 7xf32>
  %c2 = nn.tanh %c1 : !nn.rows<records x @tokens x 7xf32>
  %c3 = nn.sigmoid %c2 : !nn.rows<records x @tokens x 7xf32>
  %c4 = nn.exp %c3 : !nn.rows<records x @tokens x 7xf32>
  %c5 = nn.relu %c4 : !nn.rows<records x @tokens x 7xf32>
  %c6 = nn.tanh %c5 : !nn.rows<records x @tokens x 7xf32>
  %c7 = nn.sigmoid %c6 : !nn.rows<records x @tokens x 7xf32>
  %c8 = nn.exp %c7 : !nn.rows<records x @tokens x 7xf32>
  %c9 = nn.relu %c8 : !nn.rows<records x @tokens x 7xf32>
  %c10 = nn.tanh %c9 : !nn.rows<records x @tokens x 7xf32>
  %c11 = nn.sigmoid %c10 : !nn.rows<records x @tokens x 7xf32>
  %c12 = nn.exp %c11 : !nn.rows<records x @tokens x 7xf32>
  %a = nn.add %c12, %one : !nn.rows<records x @tokens x 7xf32>, tensor<f32> -> !nn.rows<records x @tokens x 7xf32>
  %r = nn.relu %a : !nn.rows<records x @tokens x 7xf32>
  %y, %at = nn.segment_max %r : !nn.rows<records x @tokens x 7xf32> -> !nn.rows<records x 7xf32>, !nn.rows<records x 7xi32>
  nn.output "y", %y {index = 0 : i64} : !nn.rows<records x 7xf32>
  return
}

// Two readers: the rows are needed, so nothing moves.
// CHECK-LABEL: func.func @shared
// CHECK: nn.conv1d %
// CHECK: nn.relu %{{.*}} : !nn.rows<records x @tokens
// CHECK: nn.segment_max
func.func @shared() {
  %x = nn.input "x" {index = 0 : i64} : !nn.rows<records x @tokens x 5xf32>
  %w = nn.read @conv : tensor<3x5x7xf32>
  %c = nn.conv1d %x, %w : !nn.rows<records x @tokens x 5xf32>, tensor<3x5x7xf32> -> !nn.rows<records x @tokens x 7xf32>
  %r = nn.relu %c : !nn.rows<records x @tokens x 7xf32>
  %y, %at = nn.segment_max %r : !nn.rows<records x @tokens x 7xf32> -> !nn.rows<records x 7xf32>, !nn.rows<records x 7xi32>
  %z = nn.segment_sum %r : !nn.rows<records x @tokens x 7xf32> -> !nn.rows<records x 7xf32>
  nn.output "y", %y {index = 0 : i64} : !nn.rows<records x 7xf32>
  nn.output "z", %z {index = 1 : i64} : !nn.rows<records x 7xf32>
  return
}

// GELU is not monotone, and adding other rows does not commute with the maximum.
// CHECK-LABEL: func.func @not_monotone
// CHECK: nn.gelu %{{.*}} : !nn.rows<records x @tokens
// CHECK: nn.segment_max
// CHECK: nn.add %{{.*}} : !nn.rows<records x @tokens
// CHECK: nn.segment_max
func.func @not_monotone() {
  %x = nn.input "x" {index = 0 : i64} : !nn.rows<records x @tokens x 5xf32>
  %g = nn.gelu %x : !nn.rows<records x @tokens x 5xf32>
  %y, %at = nn.segment_max %g : !nn.rows<records x @tokens x 5xf32> -> !nn.rows<records x 5xf32>, !nn.rows<records x 5xi32>
  %s = nn.add %x, %x : !nn.rows<records x @tokens x 5xf32>, !nn.rows<records x @tokens x 5xf32> -> !nn.rows<records x @tokens x 5xf32>
  %z, %au = nn.segment_max %s : !nn.rows<records x @tokens x 5xf32> -> !nn.rows<records x 5xf32>, !nn.rows<records x 5xi32>
  nn.output "y", %y {index = 0 : i64} : !nn.rows<records x 5xf32>
  nn.output "z", %z {index = 1 : i64} : !nn.rows<records x 5xf32>
  return
}

nn.global @w : tensor<31x3xf32> {tensor_class = "parameter"}
nn.global @v : tensor<3x31xf32> {tensor_class = "parameter"}
nn.global @conv : tensor<3x5x7xf32> {tensor_class = "parameter"}
nn.global @bias : tensor<7xf32> {tensor_class = "parameter"}
