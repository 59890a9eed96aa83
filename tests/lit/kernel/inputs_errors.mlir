// RUN: pipe-opt %s --penstock-kernel-to-linalg --split-input-file --verify-diagnostics

// What stands in the batch is known from what is read only if all of it is read.
func.func @predict() {
  // expected-error @+1 {{stands at place 1 of the batch, and nothing says what stands at place 0; a module that does not read every input declares them in `nn.inputs`}}
  %x = nn.input "x" {index = 1 : i64} : tensor<?x5xf32>
  %t = nn.tanh %x : tensor<?x5xf32>
  nn.output "answer", %t {index = 0 : i64} : tensor<?x5xf32>
  return
}

// -----

module attributes {nn.inputs = [{name = "y", kind = "number", target = false}]} {
  func.func @predict() {
    // expected-error @+1 {{`x` is not at place 0 of `nn.inputs`}}
    %x = nn.input "x" {index = 0 : i64} : tensor<?x5xf32>
    %t = nn.tanh %x : tensor<?x5xf32>
    nn.output "answer", %t {index = 0 : i64} : tensor<?x5xf32>
    return
  }
}

// -----

// expected-error @+1 {{`nn.inputs` has {name, kind, target} for every place of the batch, and the axis of ids}}
module attributes {nn.inputs = [{name = "y", kind = "ids", target = false}]} {
  func.func @predict() {
    return
  }
}
