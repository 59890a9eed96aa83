// RUN: pipe-opt %s --split-input-file --verify-diagnostics

// Whoever names a global names one that the module declares, of its type.
func.func @read() {
  // expected-error @+1 {{names no nn.global: @w}}
  %w = nn.read @w : tensor<5x3xf32>
  return
}

// -----

nn.global @w : tensor<5x3xf32> {tensor_class = "parameter"}
func.func @gradient() {
  %g = nn.constant dense<0.5> : tensor<5x3xf32> : tensor<5x3xf32>
  // expected-error @+1 {{names no nn.global: @v}}
  nn.gradient @v, %g : tensor<5x3xf32>
  return
}

// -----

nn.global @w : tensor<5x3xf32> {tensor_class = "parameter"}
func.func @refresh() {
  %ids = nn.input "x" {index = 0 : i64} : !nn.rows<records x @tokens x 1xi32>
  // expected-error @+1 {{names no nn.global: @v}}
  nn.refresh @v, %ids : !nn.rows<records x @tokens x 1xi32>
  return
}

// -----

nn.global @w : tensor<5x3xf32> {tensor_class = "parameter"}
func.func @row_gradient() {
  %ids = nn.input "x" {index = 0 : i64} : !nn.rows<records x 1xi32>
  %g = nn.input "g" {index = 1 : i64} : !nn.rows<records x 3xf32>
  // expected-error @+1 {{the rows are those of a deferred table, as wide as it}}
  nn.row_gradient @w, %ids, %g : !nn.rows<records x 1xi32>, !nn.rows<records x 3xf32>
  return
}

// -----

// Every class has a place in the program; there are no others.
// expected-error @+1 {{tensor_class is parameter, model_state, training_state or fitted, not 'state'}}
nn.global @w : tensor<5xf32> {tensor_class = "state"}

// -----

// Only parameters that are not frozen have gradients, and only states are updated.
nn.global @fixed : tensor<5xf32> {tensor_class = "parameter", frozen = true}
func.func @frozen() {
  %g = nn.constant dense<0.5> : tensor<5xf32> : tensor<5xf32>
  // expected-error @+1 {{@fixed has no gradient: only a parameter that is not frozen has one}}
  nn.gradient @fixed, %g : tensor<5xf32>
  return
}

// -----

nn.global @mean : tensor<5xf32> {tensor_class = "fitted"}
func.func @fitted() {
  %v = nn.constant dense<0.5> : tensor<5xf32> : tensor<5xf32>
  // expected-error @+1 {{@mean is no state: only a model_state or a training_state is updated}}
  nn.update @mean, %v : tensor<5xf32>
  return
}

// -----

nn.global @mean : tensor<5xf32> {tensor_class = "model_state"}
func.func @type() {
  %v = nn.constant dense<0.5> : tensor<3xf32> : tensor<3xf32>
  // expected-error @+1 {{has type 'tensor<3xf32>', its global 'tensor<5xf32>'}}
  nn.update @mean, %v : tensor<3xf32>
  return
}

// -----

// One writer in an entry, and what it writes is computed: two states that were handed each other's place would both hold one of them.
nn.global @mean : tensor<5xf32> {tensor_class = "model_state"}
nn.global @count : tensor<5xf32> {tensor_class = "training_state"}
func.func @twice() {
  %v = nn.constant dense<0.5> : tensor<5xf32> : tensor<5xf32>
  // expected-note @+1 {{the first}}
  nn.update @mean, %v : tensor<5xf32>
  nn.update @count, %v : tensor<5xf32>
  // expected-error @+1 {{is a second writer of @mean; an entry has one}}
  nn.update @mean, %v : tensor<5xf32>
  return
}

// -----

nn.global @mean : tensor<5xf32> {tensor_class = "model_state"}
nn.global @count : tensor<5xf32> {tensor_class = "training_state"}
func.func @swapped() {
  %count = nn.read @count : tensor<5xf32>
  // expected-error @+1 {{the value is computed by the step, not read as it is}}
  nn.update @mean, %count : tensor<5xf32>
  return
}

// -----

// expected-error @+1 {{only a training_state of one number counts what a notice tells}}
nn.global @count : tensor<2xf32> {tensor_class = "training_state", notice = "parts"}

// -----

// expected-error @+1 {{only a training_state of one number counts what a notice tells}}
nn.global @count : tensor<1xf32> {tensor_class = "model_state", notice = "parts"}
