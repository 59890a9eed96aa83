// RUN: pipe-opt %s --penstock-kernel-to-linalg --split-input-file --verify-diagnostics

// What stands in the batch is known from what is read only if all of it is read.
func.func @predict() {
  // expected-error @+1 {{stands at place 1 of the batch, and nothing says what stands at place 0; a module that does not read every input declares them in `nn.inputs`}}
  %x = nn.input "x" {index = 1 : i64} : !nn.rows<records x 5xf32>
  %t = nn.tanh %x : !nn.rows<records x 5xf32>
  nn.output "answer", %t {index = 0 : i64} : !nn.rows<records x 5xf32>
  return
}

// -----

module attributes {nn.inputs = [{name = "y", type = !nn.rows<records x 1xf32>, target = false}]} {
  func.func @predict() {
    // expected-error @+1 {{`x` is not at place 0 of `nn.inputs`}}
    %x = nn.input "x" {index = 0 : i64} : !nn.rows<records x 5xf32>
    %t = nn.tanh %x : !nn.rows<records x 5xf32>
    nn.output "answer", %t {index = 0 : i64} : !nn.rows<records x 5xf32>
    return
  }
}

// -----

// expected-error @+1 {{`nn.inputs` has {name, target, type} for every place of the batch, the type one of its rows}}
module attributes {nn.inputs = [{name = "y", type = tensor<7xf32>, target = false}]} {
  func.func @predict() {
    return
  }
}

// -----

// Kernels read memory, and a constant has no place there: neither as a weight that is packed,
kernel.dispatch @matmul_0 "matmul" [5, 3, 0, 3, 0]
func.func @predict() {
  %x = nn.input "x" {index = 0 : i64} : !nn.rows<records x 5xf32>
  // expected-note @+1 {{the constant}}
  %w = nn.constant dense<0.5> : tensor<5x3xf32> : tensor<5x3xf32>
  // expected-error @+1 {{reads a constant, which has no place in memory}}
  kernel.pack @matmul_0, %w : tensor<5x3xf32>
  %y = kernel.invoke "matmul" @matmul_0(%x) : (!nn.rows<records x 5xf32>) -> !nn.rows<records x 3xf32>
  nn.output "answer", %y {index = 0 : i64} : !nn.rows<records x 3xf32>
  return
}

// -----

// nor as what is multiplied, within a region of rows.
kernel.dispatch @matmul_0 "matmul" [5, 3, 0, 3, 0]
func.func @predict() {
  // expected-note @+1 {{the constant}}
  %x = nn.constant dense<0.5> : tensor<7x5xf32> : tensor<7x5xf32>
  %rows = kernel.rows "fixed" -> tensor<7x3xf32> {
    // expected-error @+1 {{reads a constant, which has no place in memory}}
    %y = kernel.invoke "matmul" @matmul_0(%x) : (tensor<7x5xf32>) -> tensor<7x3xf32>
    kernel.yield %y : tensor<7x3xf32>
  }
  nn.output "answer", %rows {index = 0 : i64} : tensor<7x3xf32>
  return
}
