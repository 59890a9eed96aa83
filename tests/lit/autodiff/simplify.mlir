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
  %w = nn.parameter @w : tensor<7x3xf32>
  %s = nn.mul %w, %w : tensor<7x3xf32>, tensor<7x3xf32> -> tensor<7x3xf32>
  %t = nn.total %s : tensor<7x3xf32> -> tensor<f32>
  %half = nn.constant dense<0.5> : tensor<f32> : tensor<f32>
  %weight = nn.constant dense<0.5> : tensor<f32> : tensor<f32>
  %h = nn.mul %t, %half : tensor<f32>, tensor<f32> -> tensor<f32>
  %loss = nn.mul %h, %weight : tensor<f32>, tensor<f32> -> tensor<f32>
  nn.output "loss", %loss {index = 0 : i64} : tensor<f32>
  return
}
