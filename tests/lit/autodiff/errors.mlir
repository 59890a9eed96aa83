// RUN: pipe-opt %s --penstock-autodiff --split-input-file --verify-diagnostics

// An op without a derivative between a parameter and the objective is named where it stands.
nn.global @w : tensor<5xf32> {tensor_class = "parameter"}
func.func @missing() attributes {nn.differentiate} {
  %w = nn.read @w : tensor<5xf32>
  %x = nn.input "x" {index = 0 : i64} : !nn.rows<records x 5xf32>
  %y = nn.mul %x, %w : !nn.rows<records x 5xf32>, tensor<5xf32> -> !nn.rows<records x 5xf32>
  // expected-error @+1 {{no derivative: `nn.pad` stands between a parameter and the objective}}
  %s = nn.pad %y {offset = 1 : i64} : !nn.rows<records x 5xf32> -> !nn.rows<records x 7xf32>
  %loss = nn.total %s : !nn.rows<records x 7xf32> -> tensor<f32>
  nn.output "loss", %loss {index = 0 : i64} : tensor<f32>
  return
}

// -----

// The same op where no parameter is behind it needs none.
nn.global @w : tensor<2xf32> {tensor_class = "parameter"}
func.func @not_active() attributes {nn.differentiate} {
  %w = nn.read @w : tensor<2xf32>
  %x = nn.input "x" {index = 0 : i64} : !nn.rows<records x 5xf32>
  %s = nn.slice %x {offset = 1 : i64} : !nn.rows<records x 5xf32> -> !nn.rows<records x 2xf32>
  %y = nn.mul %s, %w : !nn.rows<records x 2xf32>, tensor<2xf32> -> !nn.rows<records x 2xf32>
  %loss = nn.total %y : !nn.rows<records x 2xf32> -> tensor<f32>
  nn.output "loss", %loss {index = 0 : i64} : tensor<f32>
  return
}

// -----

// expected-warning @+1 {{the objective does not depend on parameter `idle`; its gradient is zero}}
nn.global @idle : tensor<3xf32> {tensor_class = "parameter"}
func.func @unreached() attributes {nn.differentiate} {
  %x = nn.input "x" {index = 0 : i64} : !nn.rows<records x 5xf32>
  %loss = nn.total %x : !nn.rows<records x 5xf32> -> tensor<f32>
  nn.output "loss", %loss {index = 0 : i64} : tensor<f32>
  return
}

// -----

func.func @not_scalar() attributes {nn.differentiate} {
  %x = nn.input "x" {index = 0 : i64} : !nn.rows<records x 5xf32>
  // expected-error @+1 {{is the objective and must be a scalar}}
  nn.output "loss", %x {index = 0 : i64} : !nn.rows<records x 5xf32>
  return
}

// -----

// expected-error @+1 {{has no output of index 0 to differentiate}}
func.func @no_output() attributes {nn.differentiate} {
  return
}
