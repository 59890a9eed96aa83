// RUN: pipe-opt %s --penstock-autodiff --cse --canonicalize | FileCheck %s

// Half the squares of a matrix, scaled: the derivative is the matrix times a number; nothing is spread over its shape, and what
// is known of the number is one constant.
// CHECK-LABEL: func.func @squares
// CHECK: %[[C:.*]] = nn.constant dense<2.500000e-01>
// CHECK-NOT: nn.spread
// CHECK: nn.mul %{{.*}}, %[[C]] : tensor<7x3xf32>, tensor<f32>
// CHECK: nn.gradient @w
nn.global @w : tensor<7x3xf32> {tensor_class = "parameter"}
func.func @squares() attributes {nn.differentiate} {
  %w = nn.read @w : tensor<7x3xf32>
  %s = nn.mul %w, %w : tensor<7x3xf32>, tensor<7x3xf32> -> tensor<7x3xf32>
  %t = nn.total %s : tensor<7x3xf32> -> tensor<f32>
  %half = nn.constant dense<0.5> : tensor<f32> : tensor<f32>
  %weight = nn.constant dense<0.5> : tensor<f32> : tensor<f32>
  %h = nn.mul %t, %half : tensor<f32>, tensor<f32> -> tensor<f32>
  %loss = nn.mul %h, %weight : tensor<f32>, tensor<f32> -> tensor<f32>
  nn.output "loss", %loss {index = 0 : i64} : tensor<f32>
  return
}

// Ones and numbers in a chain of any length: each op is decided by what stands before it.
// CHECK-LABEL: func.func @chain
// CHECK-NOT: nn.div
// CHECK: %[[N:.*]] = nn.constant dense<1.638400e+04>
// CHECK: nn.mul %{{.*}}, %[[N]] : tensor<7x3xf32>, tensor<f32>
// CHECK: nn.gradient @w
func.func @chain() attributes {nn.differentiate} {
  %w = nn.read @w : tensor<7x3xf32>
  %one = nn.constant dense<1.0> : tensor<f32> : tensor<f32>
  %two = nn.constant dense<2.0> : tensor<f32> : tensor<f32>
  %t0 = nn.div %w, %one : tensor<7x3xf32>, tensor<f32> -> tensor<7x3xf32>
  %s = nn.mul %t0, %t0 : tensor<7x3xf32>, tensor<7x3xf32> -> tensor<7x3xf32>
  %l0 = nn.total %s : tensor<7x3xf32> -> tensor<f32>
  %l1 = nn.mul %l0, %two : tensor<f32>, tensor<f32> -> tensor<f32>
  %l2 = nn.mul %l1, %two : tensor<f32>, tensor<f32> -> tensor<f32>
  %l3 = nn.mul %l2, %two : tensor<f32>, tensor<f32> -> tensor<f32>
  %l4 = nn.mul %l3, %two : tensor<f32>, tensor<f32> -> tensor<f32>
  %l5 = nn.mul %l4, %two : tensor<f32>, tensor<f32> -> tensor<f32>
  %l6 = nn.mul %l5, %two : tensor<f32>, tensor<f32> -> tensor<f32>
  %l7 = nn.mul %l6, %two : tensor<f32>, tensor<f32> -> tensor<f32>
  %l8 = nn.mul %l7, %two : tensor<f32>, tensor<f32> -> tensor<f32>
  %l9 = nn.mul %l8, %two : tensor<f32>, tensor<f32> -> tensor<f32>
  %l10 = nn.mul %l9, %two : tensor<f32>, tensor<f32> -> tensor<f32>
  %l11 = nn.mul %l10, %two : tensor<f32>, tensor<f32> -> tensor<f32>
  %l12 = nn.mul %l11, %two : tensor<f32>, tensor<f32> -> tensor<f32>
  %l13 = nn.mul %l12, %two : tensor<f32>, tensor<f32> -> tensor<f32>
  %l14 = nn.mul %l13, %two : tensor<f32>, tensor<f32> -> tensor<f32>
  nn.output "loss", %l14 {index = 0 : i64} : tensor<f32>
  return
}

// The mask of relu and dropout is read from what they gave: it is drawn once.
// CHECK-LABEL: func.func @masked
// CHECK: %[[Y:.*]] = nn.dropout
// CHECK-NOT: nn.dropout
// CHECK: %[[S:.*]] = nn.mul %{{.*}}, %{{.*}} : !nn.rows<records x 4xf32>, tensor<f32>
// CHECK: nn.relu_grad %[[Y]], %[[S]]
nn.global @v : tensor<3x4xf32> {tensor_class = "parameter"}
func.func @masked() attributes {nn.differentiate} {
  %x = nn.input "x" {index = 0 : i64} : !nn.rows<records x 3xf32>
  %v = nn.read @v : tensor<3x4xf32>
  %h = nn.matmul %x, %v : !nn.rows<records x 3xf32>, tensor<3x4xf32> -> !nn.rows<records x 4xf32>
  %r = nn.relu %h : !nn.rows<records x 4xf32>
  %y = nn.dropout %r {p = 0.25 : f64, key = 7 : i64} : !nn.rows<records x 4xf32>
  %s = nn.mul %y, %y : !nn.rows<records x 4xf32>, !nn.rows<records x 4xf32> -> !nn.rows<records x 4xf32>
  %t = nn.total %s : !nn.rows<records x 4xf32> -> tensor<f32>
  nn.output "loss", %t {index = 0 : i64} : tensor<f32>
  return
}
