// RUN: pipe-opt %s --penstock-math-polynomials | FileCheck %s

// No call and no branch is left, and a NaN is never converted to an integer.
// CHECK-LABEL: func.func @all
// CHECK-NOT: math.{{exp|log|tanh|erf}}
// CHECK-NOT: arith.fptosi
// CHECK: math.fma
// CHECK: return
func.func @all(%x: f32) -> (f32, f32, f32, f32) {
  %a = math.exp %x : f32
  %b = math.log %x : f32
  %c = math.tanh %x : f32
  %d = math.erf %x : f32
  return %a, %b, %c, %d : f32, f32, f32, f32
}

// CHECK-LABEL: func.func @vectors
// CHECK-NOT: math.erf
// CHECK: arith.divf {{.*}} : vector<7xf32>
func.func @vectors(%x: vector<7xf32>) -> vector<7xf32> {
  %y = math.erf %x : vector<7xf32>
  return %y : vector<7xf32>
}

// Only f32 has coefficients; what LLVM expands by itself stays.
// CHECK-LABEL: func.func @others
// CHECK: math.exp {{.*}} : f64
// CHECK: math.sqrt
func.func @others(%x: f64, %y: f32) -> (f64, f32) {
  %a = math.exp %x : f64
  %b = math.sqrt %y : f32
  return %a, %b : f64, f32
}
