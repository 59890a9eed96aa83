// RUN: pipe-opt %s --penstock-form-regions --penstock-kernel-to-linalg | FileCheck %s
// RUN: pipe-opt %s --penstock-form-regions --penstock-kernel-to-linalg --penstock-kernel-to-llvm | FileCheck %s --check-prefix=LLVM

// Three element-wise ops on a row become one linalg.generic that reads its inputs once and writes the output in place.
// CHECK-LABEL: func.func private @penstock_step_0(%{{.*}}: !llvm.ptr, %{{.*}}: !llvm.ptr)
// CHECK: kernel.parallel
// CHECK: scf.for
// CHECK: scf.for
// CHECK: linalg.generic {{.*}} ins(%{{[^:]*}}, %{{[^:]*}} : memref<5xf32>, memref<5xf32>) outs(%{{[^:]*}} : memref<5xf32>)
// CHECK: math.tanh
// CHECK: arith.mulf
// CHECK: arith.addf
// CHECK-NOT: linalg.generic
// CHECK: return

// Nothing is allocated: values live in the arena or in the output.
// CHECK-NOT: memref.alloc

// CHECK: kernel.entry @predict
// CHECK-NEXT: kernel.step @penstock_step_0 [{{.*}}]
// CHECK-NEXT: }

// The body is a function of its own, run through the pool by the program's table of symbols; it gets the call and the numbers.
// LLVM-LABEL: func.func private @penstock_step_0
// LLVM: constant @penstock_body_0
// LLVM: llvm.call
// LLVM-LABEL: func.func private @penstock_body_0
// LLVM-NOT: linalg
// LLVM-NOT: kernel.
func.func @predict() {
  %x = nn.input "x" {index = 0 : i64} : !nn.rows<records x 5xf32>
  %b = nn.read @b : tensor<5xf32>
  %t = nn.tanh %x : !nn.rows<records x 5xf32>
  %m = nn.mul %t, %x : !nn.rows<records x 5xf32>, !nn.rows<records x 5xf32> -> !nn.rows<records x 5xf32>
  %a = nn.add %m, %b : !nn.rows<records x 5xf32>, tensor<5xf32> -> !nn.rows<records x 5xf32>
  nn.output "answer", %a {index = 0 : i64} : !nn.rows<records x 5xf32>
  return
}
nn.global @b : tensor<5xf32> {tensor_class = "parameter"}
