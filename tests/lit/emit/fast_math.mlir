// RUN: pipe-opt %s --penstock-fast-math | FileCheck %s

// The left product is fused, the right one stays: one choice, made once.
// CHECK-LABEL: func.func @sum_of_products
// CHECK-SAME: (%[[A:.*]]: f32, %[[B:.*]]: f32, %[[C:.*]]: f32)
// CHECK: %[[CB:.*]] = arith.mulf %[[C]], %[[B]] : f32
// CHECK: math.fma %[[A]], %[[B]], %[[CB]] : f32
// CHECK-NOT: fastmath
func.func @sum_of_products(%a: f32, %b: f32, %c: f32) -> f32 {
  %p = arith.mulf %a, %b : f32
  %q = arith.mulf %c, %b : f32
  %r = arith.addf %p, %q : f32
  return %r : f32
}

// A product that something else reads is computed for itself.
// CHECK-LABEL: func.func @shared_product
// CHECK-NOT: math.fma
// CHECK: return
func.func @shared_product(%a: f32, %b: f32) -> (f32, f32) {
  %p = arith.mulf %a, %b : f32
  %r = arith.addf %p, %a : f32
  return %p, %r : f32, f32
}

// CHECK-LABEL: func.func @differences
// CHECK-SAME: (%[[A:.*]]: f32, %[[B:.*]]: f32)
// CHECK: %[[N:.*]] = arith.negf %[[B]]
// CHECK: math.fma %[[A]], %[[A]], %[[N]]
// CHECK: %[[M:.*]] = arith.negf %[[A]]
// CHECK: math.fma %[[M]], %[[A]], %[[B]]
func.func @differences(%a: f32, %b: f32) -> (f32, f32) {
  %p = arith.mulf %a, %a : f32
  %r = arith.subf %p, %b : f32
  %q = arith.mulf %a, %a : f32
  %s = arith.subf %b, %q : f32
  return %r, %s : f32, f32
}

// Reductions may be reordered, by a loop's argument or through memory; never may a NaN be assumed away.
// CHECK-LABEL: func.func @reductions
// CHECK: arith.mulf %{{.*}}, %{{.*}} fastmath<contract>
// CHECK: arith.addf %{{.*}}, %{{.*}} fastmath<reassoc,nsz,contract>
// CHECK: arith.maximumf %{{.*}}, %{{.*}} fastmath<reassoc,nsz,contract>
// CHECK: arith.addf %{{.*}}, %{{.*}} fastmath<reassoc,nsz,contract>
// CHECK-NOT: nnan
// CHECK-NOT: ninf
func.func @reductions(%x: memref<?xf32>, %out: memref<1xf32>, %n: index) -> (f32, f32) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %zero = arith.constant 0.0 : f32
  %s, %m = scf.for %i = %c0 to %n step %c1 iter_args(%acc = %zero, %max = %zero) -> (f32, f32) {
    %v = memref.load %x[%i] : memref<?xf32>
    %sq = arith.mulf %v, %v : f32
    %next = arith.addf %acc, %sq : f32
    %top = arith.maximumf %max, %v : f32
    scf.yield %next, %top : f32, f32
  }
  scf.for %i = %c0 to %n step %c1 {
    %v = memref.load %x[%i] : memref<?xf32>
    %old = memref.load %out[%c0] : memref<1xf32>
    %new = arith.addf %old, %v : f32
    memref.store %new, %out[%c0] : memref<1xf32>
  }
  return %s, %m : f32, f32
}
