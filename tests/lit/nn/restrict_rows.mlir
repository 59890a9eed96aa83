// RUN: pipe-opt %s --penstock-restrict-rows | FileCheck %s

// The end of a layer: only the keys and values that attention reads and what the sum over rows reads is computed for the axis; everything
// else, the queries too, for the records, however often it is read on the way.
// CHECK-LABEL: func.func @last
// CHECK: %[[Q:.*]] = nn.read @q
// CHECK: %[[X:.*]] = nn.segment_first %{{.*}} : !nn.rows<records x @tokens x 5xf32> -> !nn.rows<records x 5xf32>
// CHECK: %[[QW:.*]] = nn.slice %[[Q]] {offset = 0 : i64} : tensor<5x15xf32> -> tensor<5x5xf32>
// CHECK: %[[QM:.*]] = nn.matmul %[[X]], %[[QW]]
// CHECK: %[[QB:.*]] = nn.slice %{{.*}} {offset = 0 : i64} : tensor<15xf32> -> tensor<5xf32>
// CHECK: %[[QUERY:.*]] = nn.add %[[QM]], %[[QB]]
// CHECK: %[[KW:.*]] = nn.slice %[[Q]] {offset = 5 : i64} : tensor<5x15xf32> -> tensor<5x10xf32>
// CHECK: %[[KM:.*]] = nn.matmul %{{.*}}, %[[KW]] : !nn.rows<records x @tokens x 5xf32>
// CHECK: %[[KB:.*]] = nn.slice %{{.*}} {offset = 5 : i64} : tensor<15xf32> -> tensor<10xf32>
// CHECK: %[[KEYS:.*]] = nn.add %[[KM]], %[[KB]]
// CHECK: %[[F:.*]], %{{.*}} = nn.attention_first %[[QUERY]], %[[KEYS]] {heads = 1 : i64}
// CHECK: %[[M:.*]] = nn.matmul %[[F]], %{{.*}} : !nn.rows<records x 5xf32>, tensor<5x5xf32> -> !nn.rows<records x 5xf32>
// CHECK: %[[D:.*]] = nn.dropout %[[M]] {{.*}} : !nn.rows<records x 5xf32>
// CHECK: %[[S:.*]] = nn.add %[[X]], %[[D]] : !nn.rows<records x 5xf32>, !nn.rows<records x 5xf32> -> !nn.rows<records x 5xf32>
// CHECK: %[[N:.*]], %{{.*}} = nn.normalize %[[S]] {{.*}} : !nn.rows<records x 5xf32> -> !nn.rows<records x 5xf32>, !nn.rows<records x 1xf32>
// CHECK: %[[T:.*]] = nn.add %[[N]], %[[S]] : !nn.rows<records x 5xf32>, !nn.rows<records x 5xf32> -> !nn.rows<records x 5xf32>
// CHECK-NOT: nn.segment_first
// CHECK: nn.output "y", %[[T]]
func.func @last() {
  %x = nn.input "x" {index = 0 : i64} : !nn.rows<records x @tokens x 5xf32>
  %q = nn.read @q : tensor<5x15xf32>
  %w = nn.read @w : tensor<5x5xf32>
  %b = nn.read @b : tensor<15xf32>
  %product = nn.matmul %x, %q : !nn.rows<records x @tokens x 5xf32>, tensor<5x15xf32> -> !nn.rows<records x @tokens x 15xf32>
  %qkv = nn.add %product, %b : !nn.rows<records x @tokens x 15xf32>, tensor<15xf32> -> !nn.rows<records x @tokens x 15xf32>
  %a, %lse = nn.attention %qkv {heads = 1 : i64} : !nn.rows<records x @tokens x 15xf32> -> !nn.rows<records x @tokens x 5xf32>, !nn.rows<records x @tokens x 1xf32>
  %m = nn.matmul %a, %w : !nn.rows<records x @tokens x 5xf32>, tensor<5x5xf32> -> !nn.rows<records x @tokens x 5xf32>
  %d = nn.dropout %m {p = 0.1 : f64, key = 3 : i64} : !nn.rows<records x @tokens x 5xf32>
  %s = nn.add %x, %d : !nn.rows<records x @tokens x 5xf32>, !nn.rows<records x @tokens x 5xf32> -> !nn.rows<records x @tokens x 5xf32>
  %n, %rstd = nn.normalize %s {epsilon = 1.0e-5 : f64} : !nn.rows<records x @tokens x 5xf32> -> !nn.rows<records x @tokens x 5xf32>, !nn.rows<records x @tokens x 1xf32>
  %t = nn.add %n, %s : !nn.rows<records x @tokens x 5xf32>, !nn.rows<records x @tokens x 5xf32> -> !nn.rows<records x @tokens x 5xf32>
  %y = nn.segment_first %t : !nn.rows<records x @tokens x 5xf32> -> !nn.rows<records x 5xf32>
  nn.output "y", %y {index = 0 : i64} : !nn.rows<records x 5xf32>
  return
}

// Queries that are not made column by column, or are read by others too, are there anyway.
// CHECK-LABEL: func.func @given
// CHECK-NOT: nn.attention_first
// CHECK: nn.attention %{{.*}} {heads = 1 : i64}
// CHECK: nn.attention %{{.*}} {heads = 5 : i64}
// CHECK: return
func.func @given() {
  %x = nn.input "x" {index = 0 : i64} : !nn.rows<records x @tokens x 15xf32>
  %q = nn.read @q : tensor<5x15xf32>
  %a, %lse = nn.attention %x {heads = 1 : i64} : !nn.rows<records x @tokens x 15xf32> -> !nn.rows<records x @tokens x 5xf32>, !nn.rows<records x @tokens x 1xf32>
  %qkv = nn.matmul %a, %q : !nn.rows<records x @tokens x 5xf32>, tensor<5x15xf32> -> !nn.rows<records x @tokens x 15xf32>
  %c, %lse_0 = nn.attention %qkv {heads = 5 : i64} : !nn.rows<records x @tokens x 15xf32> -> !nn.rows<records x @tokens x 5xf32>, !nn.rows<records x @tokens x 5xf32>
  %y = nn.segment_first %c : !nn.rows<records x @tokens x 5xf32> -> !nn.rows<records x 5xf32>
  %z = nn.segment_sum %qkv : !nn.rows<records x @tokens x 15xf32> -> !nn.rows<records x 15xf32>
  %d, %lse_1 = nn.attention %x {heads = 1 : i64} : !nn.rows<records x @tokens x 15xf32> -> !nn.rows<records x @tokens x 5xf32>, !nn.rows<records x @tokens x 1xf32>
  %w = nn.segment_first %d : !nn.rows<records x @tokens x 5xf32> -> !nn.rows<records x 5xf32>
  nn.output "y", %y {index = 0 : i64} : !nn.rows<records x 5xf32>
  nn.output "z", %z {index = 1 : i64} : !nn.rows<records x 15xf32>
  nn.output "w", %w {index = 2 : i64} : !nn.rows<records x 5xf32>
  return
}

// What a sum over rows reads as well stays where it is.
// CHECK-LABEL: func.func @both
// CHECK: nn.relu %{{.*}} : !nn.rows<records x @tokens x 5xf32>
// CHECK-NEXT: nn.segment_first
// CHECK-NOT: nn.relu
func.func @both() {
  %x = nn.input "x" {index = 0 : i64} : !nn.rows<records x @tokens x 5xf32>
  %r = nn.relu %x : !nn.rows<records x @tokens x 5xf32>
  %y = nn.segment_first %r : !nn.rows<records x @tokens x 5xf32> -> !nn.rows<records x 5xf32>
  %z = nn.segment_sum %r : !nn.rows<records x @tokens x 5xf32> -> !nn.rows<records x 5xf32>
  nn.output "y", %y {index = 0 : i64} : !nn.rows<records x 5xf32>
  nn.output "z", %z {index = 1 : i64} : !nn.rows<records x 5xf32>
  return
}

// Whatever an element of a row is computed from the same element of is row-wise, the parts of derivatives too.
// CHECK-LABEL: func.func @element_wise
// CHECK: %[[X:.*]] = nn.segment_first %{{.*}} : !nn.rows<records x @tokens x 5xf32> -> !nn.rows<records x 5xf32>
// CHECK-NOT: @tokens
// CHECK: nn.output
func.func @element_wise() {
  %x = nn.input "x" {index = 0 : i64} : !nn.rows<records x @tokens x 5xf32>
  %a = nn.softplus %x : !nn.rows<records x @tokens x 5xf32>
  %b = nn.sqrt %a : !nn.rows<records x @tokens x 5xf32>
  %c = nn.gelu_slope %b : !nn.rows<records x @tokens x 5xf32>
  %d = nn.relu_grad %x, %c : !nn.rows<records x @tokens x 5xf32>
  %y = nn.segment_first %d : !nn.rows<records x @tokens x 5xf32> -> !nn.rows<records x 5xf32>
  nn.output "y", %y {index = 0 : i64} : !nn.rows<records x 5xf32>
  return
}
nn.global @q : tensor<5x15xf32> {tensor_class = "parameter"}
nn.global @w : tensor<5x5xf32> {tensor_class = "parameter"}
nn.global @b : tensor<15xf32> {tensor_class = "parameter"}
