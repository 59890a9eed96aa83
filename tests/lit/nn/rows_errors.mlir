// RUN: pipe-opt %s --split-input-file --verify-diagnostics

// expected-error @+1 {{an extent of an axis is 1 or more, not 0}}
func.func private @f(!nn.rows<records x [28, 0] x 3xf32>)

// -----

// expected-error @+1 {{a static axis has fewer than 2147483648 rows}}
func.func private @f(!nn.rows<records x [65536, 32768] x 3xf32>)

// -----

// expected-error @+1 {{a static axis has 1 to 8 extents, not 9}}
func.func private @f(!nn.rows<records x [1, 1, 1, 1, 1, 1, 1, 1, 1] x 3xf32>)

// -----

// expected-error @+1 {{a row has one element or more, not 0}}
func.func private @f(!nn.rows<records x 0xf32>)

// -----

// expected-error @+1 {{a row has one width}}
func.func private @f(!nn.rows<records x 3x5xf32>)

// -----

// expected-error @+1 {{elements are f32, i32 or ui8, and bf16 or i8 where they are only stored, not 'f64'}}
func.func private @f(!nn.rows<records x 3xf64>)

// -----

// Equal numbers of rows are not the same rows: extents are compared in order,
func.func @f() {
  %a = nn.input "a" {index = 0 : i64} : !nn.rows<records x [4, 9] x 2xf32>
  %b = nn.input "b" {index = 1 : i64} : !nn.rows<records x [9, 4] x 2xf32>
  // expected-error @+1 {{rhs is of the type of lhs}}
  %c = nn.add %a, %b : !nn.rows<records x [4, 9] x 2xf32>, !nn.rows<records x [9, 4] x 2xf32> -> !nn.rows<records x [4, 9] x 2xf32>
  return
}

// -----

// a ragged axis equals only itself,
func.func @f() {
  %a = nn.input "a" {index = 0 : i64} : !nn.rows<records x @left x 2xf32>
  %b = nn.input "b" {index = 1 : i64} : !nn.rows<records x @right x 2xf32>
  // expected-error @+1 {{inputs and result have the same rows}}
  %c = nn.concat %a, %b : !nn.rows<records x @left x 2xf32>, !nn.rows<records x @right x 2xf32> -> !nn.rows<records x @left x 4xf32>
  return
}

// -----

// and an axis lies in one parent.
func.func @f() {
  %a = nn.input "a" {index = 0 : i64} : !nn.rows<records x @words x [3] x 2xf32>
  %b = nn.input "b" {index = 1 : i64} : !nn.rows<records x [3] x 2xf32>
  // expected-error @+1 {{rhs is of the type of lhs}}
  %c = nn.add %a, %b : !nn.rows<records x @words x [3] x 2xf32>, !nn.rows<records x [3] x 2xf32> -> !nn.rows<records x @words x [3] x 2xf32>
  return
}

// -----

// Pooling gives rows of the parent, not of the parent's parent.
func.func @f() {
  %x = nn.input "x" {index = 0 : i64} : !nn.rows<records x @words x @characters x 2xf32>
  // expected-error @+1 {{gives a row for each row of the parent, `records x words`, not `records`}}
  %s = nn.segment_sum %x : !nn.rows<records x @words x @characters x 2xf32> -> !nn.rows<records x 2xf32>
  return
}

// -----

// The batch has records; a tensor has a static shape.
func.func @f() {
  // expected-error @+1 {{result #0 must be}}
  %x = nn.input "x" {index = 0 : i64} : tensor<?x2xf32>
  return
}

// -----

// Random numbers are keyed by records, and a kernel of segments knows only those.
func.func @f() {
  %x = nn.input "x" {index = 0 : i64} : !nn.rows<records x @words x @characters x 15xf32>
  // expected-error @+1 {{dropout of attention is keyed by records: the axis lies in them, not in `records x words`}}
  %a, %lse = nn.attention %x {heads = 1 : i64, dropout = 0.1 : f64, key = 3 : i64} : !nn.rows<records x @words x @characters x 15xf32> -> !nn.rows<records x @words x @characters x 5xf32>, !nn.rows<records x @words x @characters x 1xf32>
  return
}
