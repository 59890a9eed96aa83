// RUN: pipe-opt %s --penstock-pipe-to-nn --split-input-file --verify-diagnostics

pipe.pipeline @a edition(1) {
  %x = pipe.column "x" {input = 0 : i64} : !pipe.number
  // expected-error @+1 {{names no built-in operation: `linaer`}}
  %y = pipe.call "linaer"(%x) at "y" : (!pipe.number) -> !pipe.vector<1>
}

// -----

pipe.pipeline @a edition(1) {
  %x = pipe.column "x" {input = 0 : i64} : !pipe.number
  // expected-error @+1 {{`softmax` cannot have 2 operands}}
  %y = pipe.call "softmax"(%x, %x) at "y" : (!pipe.number, !pipe.number) -> !pipe.vector<1>
}

// -----

pipe.pipeline @a edition(1) {
  %x = pipe.column "x" {input = 0 : i64} : !pipe.number
  // expected-error @+1 {{`softmax` wants a sequence where the sum is over the record}}
  %y = pipe.call "softmax"(%x) at "y" with {over = "record"} : (!pipe.number) -> !pipe.vector<1>
}

// -----

pipe.pipeline @a edition(1) {
  %x = pipe.column "x" {input = 0 : i64} : !pipe.number
  // expected-error @+1 {{`linear` wants a weight of 1 rows, not 'tensor<2x3xf32>'}}
  %y = pipe.call "linear"(%x) at "y" weights [{name = "weight", shape = array<i64: 2, 3>, initializer = "zeros", scale = 0.0 : f64, decays = true}] : (!pipe.number) -> !pipe.vector<3>
}

// -----

pipe.pipeline @a edition(1) {
  %x = pipe.column "x" {input = 0 : i64} : !pipe.number
  // expected-error @+1 {{`relu` is declared 2 wide and built 1 wide}}
  %y = pipe.call "relu"(%x) at "y" : (!pipe.number) -> !pipe.vector<2>
}

// -----

pipe.pipeline @a edition(1) {
  %x = pipe.column "x" {input = 0 : i64} : !pipe.number
  // expected-error @+1 {{head plugin `regress` cannot be built here: no plugin host is given}}
  %h = pipe.head "regress"(%x) at "answer" : (!pipe.number) -> !pipe.head
}

// -----

pipe.pipeline @a edition(1) {
  %x = pipe.column "x" {input = 0 : i64} : !pipe.number
  // expected-error @+1 {{has the place of another input in the batch: 0}}
  %z = pipe.column "z" {input = 0 : i64} : !pipe.number
}

// -----

pipe.pipeline @a edition(1) {
  // expected-error @+1 {{`l2` finds no decaying weight below `encoder`}}
  %l = pipe.call "l2"() at "l2_0" with {prefix = "encoder"} : () -> !pipe.scalar
  pipe.objective "" %l {kind = "sgd"} {clip_norm = 0.0 : f64}
}
