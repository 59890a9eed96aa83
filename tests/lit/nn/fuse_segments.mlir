// RUN: pipe-opt %s --penstock-fuse-segments | FileCheck %s

// CHECK-LABEL: func.func @bag
// CHECK-NOT: nn.counts
// CHECK: nn.bag_sum
// CHECK-NOT: nn.matmul
func.func @bag() {
  %ids = nn.input "tokens" {index = 0 : i64} : !nn.ragged<@tokens, i32>
  %w = nn.parameter @w : tensor<31x3xf32>
  %c = nn.counts %ids : !nn.ragged<@tokens, i32> -> tensor<?x31xf32>
  %y = nn.matmul %c, %w : tensor<?x31xf32>, tensor<31x3xf32> -> tensor<?x3xf32>
  nn.output "y", %y {index = 0 : i64} : tensor<?x3xf32>
  return
}

// The transposed product is no sum of table rows.
// CHECK-LABEL: func.func @bag_transposed
// CHECK: nn.counts
// CHECK: nn.matmul
func.func @bag_transposed() {
  %ids = nn.input "tokens" {index = 0 : i64} : !nn.ragged<@tokens, i32>
  %v = nn.parameter @v : tensor<3x31xf32>
  %c = nn.counts %ids : !nn.ragged<@tokens, i32> -> tensor<?x31xf32>
  %y = nn.matmul %c, %v transposed : tensor<?x31xf32>, tensor<3x31xf32> -> tensor<?x3xf32>
  nn.output "y", %y {index = 0 : i64} : tensor<?x3xf32>
  return
}

// A convolution with bias and activation under a maximum: the convolution's rows never exist.
// CHECK-LABEL: func.func @cnn
// CHECK-NOT: nn.conv1d %
// CHECK: %[[M:.*]], %{{.*}} = nn.conv1d_max
// CHECK: %[[A:.*]] = nn.add %[[M]], %{{.*}} : tensor<?x7xf32>, tensor<7xf32> -> tensor<?x7xf32>
// CHECK: %[[R:.*]] = nn.relu %[[A]] : tensor<?x7xf32>
// CHECK: nn.output "y", %[[R]]
func.func @cnn() {
  %x = nn.input "x" {index = 0 : i64} : !nn.ragged<@tokens, 5xf32>
  %w = nn.parameter @conv : tensor<3x5x7xf32>
  %b = nn.parameter @bias : tensor<7xf32>
  %c = nn.conv1d %x, %w : !nn.ragged<@tokens, 5xf32>, tensor<3x5x7xf32> -> !nn.ragged<@tokens, 7xf32>
  %a = nn.add %c, %b : !nn.ragged<@tokens, 7xf32>, tensor<7xf32> -> !nn.ragged<@tokens, 7xf32>
  %r = nn.relu %a : !nn.ragged<@tokens, 7xf32>
  %y, %at = nn.segment_max %r : !nn.ragged<@tokens, 7xf32> -> tensor<?x7xf32>, tensor<?x7xi32>
  nn.output "y", %y {index = 0 : i64} : tensor<?x7xf32>
  return
}

// Two readers: the rows are needed, so nothing moves.
// CHECK-LABEL: func.func @shared
// CHECK: nn.conv1d %
// CHECK: nn.relu %{{.*}} : !nn.ragged
// CHECK: nn.segment_max
func.func @shared() {
  %x = nn.input "x" {index = 0 : i64} : !nn.ragged<@tokens, 5xf32>
  %w = nn.parameter @conv : tensor<3x5x7xf32>
  %c = nn.conv1d %x, %w : !nn.ragged<@tokens, 5xf32>, tensor<3x5x7xf32> -> !nn.ragged<@tokens, 7xf32>
  %r = nn.relu %c : !nn.ragged<@tokens, 7xf32>
  %y, %at = nn.segment_max %r : !nn.ragged<@tokens, 7xf32> -> tensor<?x7xf32>, tensor<?x7xi32>
  %z = nn.segment_sum %r : !nn.ragged<@tokens, 7xf32> -> tensor<?x7xf32>
  nn.output "y", %y {index = 0 : i64} : tensor<?x7xf32>
  nn.output "z", %z {index = 1 : i64} : tensor<?x7xf32>
  return
}

// GELU is not monotone, and adding other rows does not commute with the maximum.
// CHECK-LABEL: func.func @not_monotone
// CHECK: nn.gelu %{{.*}} : !nn.ragged
// CHECK: nn.segment_max
// CHECK: nn.add %{{.*}} : !nn.ragged
// CHECK: nn.segment_max
func.func @not_monotone() {
  %x = nn.input "x" {index = 0 : i64} : !nn.ragged<@tokens, 5xf32>
  %g = nn.gelu %x : !nn.ragged<@tokens, 5xf32>
  %y, %at = nn.segment_max %g : !nn.ragged<@tokens, 5xf32> -> tensor<?x5xf32>, tensor<?x5xi32>
  %s = nn.add %x, %x : !nn.ragged<@tokens, 5xf32>, !nn.ragged<@tokens, 5xf32> -> !nn.ragged<@tokens, 5xf32>
  %z, %au = nn.segment_max %s : !nn.ragged<@tokens, 5xf32> -> tensor<?x5xf32>, tensor<?x5xi32>
  nn.output "y", %y {index = 0 : i64} : tensor<?x5xf32>
  nn.output "z", %z {index = 1 : i64} : tensor<?x5xf32>
  return
}

nn.global @w : tensor<31x3xf32> {tensor_class = "parameter"}
nn.global @v : tensor<3x31xf32> {tensor_class = "parameter"}
nn.global @conv : tensor<3x5x7xf32> {tensor_class = "parameter"}
nn.global @bias : tensor<7xf32> {tensor_class = "parameter"}
