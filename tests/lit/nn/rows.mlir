// RUN: pipe-opt %s | pipe-opt | FileCheck %s

// Rows of the batch print as their path from the records down, their width and their element.

// CHECK-LABEL: func.func @paths
func.func @paths() {
  // CHECK: nn.input "pixels" {index = 0 : i64} : !nn.rows<records x [28, 29] x 3xui8>
  %pixels = nn.input "pixels" {index = 0 : i64} : !nn.rows<records x [28, 29] x 3xui8>
  // CHECK: nn.input "letters" {index = 1 : i64} : !nn.rows<records x @words x @characters x 1xi32>
  %letters = nn.input "letters" {index = 1 : i64} : !nn.rows<records x @words x @characters x 1xi32>
  // CHECK: nn.input "window" {index = 2 : i64} : !nn.rows<records x [30] x 21xf32>
  %window = nn.input "window" {index = 2 : i64} : !nn.rows<records x [30] x 21xf32>
  // CHECK: nn.input "number" {index = 3 : i64} : !nn.rows<records x 1xf32>
  %number = nn.input "number" {index = 3 : i64} : !nn.rows<records x 1xf32>
  // CHECK: nn.input "patches" {index = 4 : i64} : !nn.rows<records x [7, 5] x [4, 4] x 2xf32>
  %patches = nn.input "patches" {index = 4 : i64} : !nn.rows<records x [7, 5] x [4, 4] x 2xf32>
  return
}

// A bias is one row for all rows, and two static axes of one parent with equal extents are the same rows.
// CHECK-LABEL: func.func @sameRows
func.func @sameRows() {
  %a = nn.input "a" {index = 0 : i64} : !nn.rows<records x [3, 5] x 2xf32>
  %b = nn.input "b" {index = 1 : i64} : !nn.rows<records x [3, 5] x 7xf32>
  // CHECK: nn.concat {{.*}} -> !nn.rows<records x [3, 5] x 9xf32>
  %c = nn.concat %a, %b : !nn.rows<records x [3, 5] x 2xf32>, !nn.rows<records x [3, 5] x 7xf32> -> !nn.rows<records x [3, 5] x 9xf32>
  %bias = nn.read @bias : tensor<9xf32>
  %d = nn.add %c, %bias : !nn.rows<records x [3, 5] x 9xf32>, tensor<9xf32> -> !nn.rows<records x [3, 5] x 9xf32>
  // CHECK: nn.segment_max {{.*}} -> !nn.rows<records x 9xf32>, !nn.rows<records x 9xi32>
  %m, %at = nn.segment_max %d : !nn.rows<records x [3, 5] x 9xf32> -> !nn.rows<records x 9xf32>, !nn.rows<records x 9xi32>
  return
}
nn.global @bias : tensor<9xf32> {tensor_class = "parameter"}

// Pooling over the characters of words gives rows of words.
// CHECK-LABEL: func.func @parents
func.func @parents() {
  %x = nn.input "x" {index = 0 : i64} : !nn.rows<records x @words x @characters x 25xf32>
  %s = nn.segment_sum %x : !nn.rows<records x @words x @characters x 25xf32> -> !nn.rows<records x @words x 25xf32>
  %n = nn.segment_length @characters : !nn.rows<records x @words x 1xf32>
  // CHECK: nn.div {{.*}} -> !nn.rows<records x @words x 25xf32>
  %mean = nn.div %s, %n : !nn.rows<records x @words x 25xf32>, !nn.rows<records x @words x 1xf32> -> !nn.rows<records x @words x 25xf32>
  %r = nn.segment_first %mean : !nn.rows<records x @words x 25xf32> -> !nn.rows<records x 25xf32>
  return
}
