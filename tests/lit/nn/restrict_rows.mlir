// RUN: pipe-opt %s --penstock-restrict-rows | FileCheck %s

// The end of a layer: only what the attention and the sum over rows read is computed for the axis; everything else for the
// records, however often it is read on the way.
// CHECK-LABEL: func.func @last
// CHECK: %[[A:.*]], %{{.*}} = nn.attention %{{.*}}
// CHECK: %[[F:.*]] = nn.segment_first %[[A]] : !nn.ragged<@tokens, 5xf32> -> tensor<?x5xf32>
// CHECK: %[[M:.*]] = nn.matmul %[[F]], %{{.*}} : tensor<?x5xf32>, tensor<5x5xf32> -> tensor<?x5xf32>
// CHECK: %[[D:.*]] = nn.dropout %[[M]] {{.*}} : tensor<?x5xf32>
// CHECK: %[[X:.*]] = nn.segment_first %{{.*}} : !nn.ragged<@tokens, 5xf32> -> tensor<?x5xf32>
// CHECK: %[[S:.*]] = nn.add %[[X]], %[[D]] : tensor<?x5xf32>, tensor<?x5xf32> -> tensor<?x5xf32>
// CHECK: %[[N:.*]], %{{.*}} = nn.normalize %[[S]] {{.*}} : tensor<?x5xf32> -> tensor<?x5xf32>, tensor<?x1xf32>
// CHECK: %[[T:.*]] = nn.add %[[N]], %[[S]] : tensor<?x5xf32>, tensor<?x5xf32> -> tensor<?x5xf32>
// CHECK-NOT: nn.segment_first
// CHECK: nn.output "y", %[[T]]
func.func @last() {
  %x = nn.input "x" {index = 0 : i64} : !nn.ragged<@tokens, 5xf32>
  %q = nn.parameter @q : tensor<5x15xf32>
  %w = nn.parameter @w : tensor<5x5xf32>
  %qkv = nn.matmul %x, %q : !nn.ragged<@tokens, 5xf32>, tensor<5x15xf32> -> !nn.ragged<@tokens, 15xf32>
  %a, %lse = nn.attention %qkv {heads = 1 : i64} : !nn.ragged<@tokens, 15xf32> -> !nn.ragged<@tokens, 5xf32>, !nn.ragged<@tokens, 1xf32>
  %m = nn.matmul %a, %w : !nn.ragged<@tokens, 5xf32>, tensor<5x5xf32> -> !nn.ragged<@tokens, 5xf32>
  %d = nn.dropout %m {p = 0.1 : f64, key = 3 : i64} : !nn.ragged<@tokens, 5xf32>
  %s = nn.add %x, %d : !nn.ragged<@tokens, 5xf32>, !nn.ragged<@tokens, 5xf32> -> !nn.ragged<@tokens, 5xf32>
  %n, %rstd = nn.normalize %s {epsilon = 1.0e-5 : f64} : !nn.ragged<@tokens, 5xf32> -> !nn.ragged<@tokens, 5xf32>, !nn.ragged<@tokens, 1xf32>
  %t = nn.add %n, %s : !nn.ragged<@tokens, 5xf32>, !nn.ragged<@tokens, 5xf32> -> !nn.ragged<@tokens, 5xf32>
  %y = nn.segment_first %t : !nn.ragged<@tokens, 5xf32> -> tensor<?x5xf32>
  nn.output "y", %y {index = 0 : i64} : tensor<?x5xf32>
  return
}

// What a sum over rows reads as well stays where it is.
// CHECK-LABEL: func.func @both
// CHECK: nn.relu %{{.*}} : !nn.ragged<@tokens, 5xf32>
// CHECK-NEXT: nn.segment_first
// CHECK-NOT: nn.relu
func.func @both() {
  %x = nn.input "x" {index = 0 : i64} : !nn.ragged<@tokens, 5xf32>
  %r = nn.relu %x : !nn.ragged<@tokens, 5xf32>
  %y = nn.segment_first %r : !nn.ragged<@tokens, 5xf32> -> tensor<?x5xf32>
  %z = nn.segment_sum %r : !nn.ragged<@tokens, 5xf32> -> tensor<?x5xf32>
  nn.output "y", %y {index = 0 : i64} : tensor<?x5xf32>
  nn.output "z", %z {index = 1 : i64} : tensor<?x5xf32>
  return
}
nn.global @q : tensor<5x15xf32> {tensor_class = "parameter"}
nn.global @w : tensor<5x5xf32> {tensor_class = "parameter"}
