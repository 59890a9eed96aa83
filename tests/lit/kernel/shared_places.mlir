// RUN: pipe-opt %s --penstock-form-regions --penstock-kernel-to-linalg | FileCheck %s

// A kernel's result that is replaced element by element lies where its reader puts its own result. The first number of a step
// is the bytes of a worker's scratch: 64 rows of 5 numbers are 1,280.
// CHECK: kernel.entry @train attributes
// CHECK-NEXT: kernel.step @{{.*}} [3840,
// CHECK: kernel.entry @evaluate attributes
// CHECK-NEXT: kernel.step @{{.*}} [2560,
// CHECK: kernel.entry @predict attributes
// CHECK-NEXT: kernel.step @{{.*}} [3840,
kernel.dispatch @matmul_0 "matmul" [5, 5, 0, 5, 0]
kernel.dispatch @matmul_1 "matmul" [5, 5, 0, 5, 0]

// Both results of the stage come from one loop, so the matmul's place is one of theirs; the second matmul has its own.
func.func @train() {
  %x = nn.input "x" {index = 0 : i64} : !nn.rows<records x 5xf32>
  %m = kernel.invoke "matmul" @matmul_0(%x) : (!nn.rows<records x 5xf32>) -> !nn.rows<records x 5xf32>
  %g = nn.gelu %m : !nn.rows<records x 5xf32>
  %s = nn.gelu_slope %m : !nn.rows<records x 5xf32>
  %k = kernel.invoke "matmul" @matmul_1(%g) : (!nn.rows<records x 5xf32>) -> !nn.rows<records x 5xf32>
  %r = nn.mul %k, %s : !nn.rows<records x 5xf32>, !nn.rows<records x 5xf32> -> !nn.rows<records x 5xf32>
  nn.output "y", %r {index = 0 : i64} : !nn.rows<records x 5xf32>
  return
}

// Two operands of one op: one of them takes its place, the other needs one of its own.
func.func @evaluate() {
  %x = nn.input "x" {index = 0 : i64} : !nn.rows<records x 5xf32>
  %m = kernel.invoke "matmul" @matmul_0(%x) : (!nn.rows<records x 5xf32>) -> !nn.rows<records x 5xf32>
  %n = kernel.invoke "matmul" @matmul_1(%x) : (!nn.rows<records x 5xf32>) -> !nn.rows<records x 5xf32>
  %a = nn.sub %m, %n : !nn.rows<records x 5xf32>, !nn.rows<records x 5xf32> -> !nn.rows<records x 5xf32>
  %k = kernel.invoke "matmul" @matmul_1(%a) : (!nn.rows<records x 5xf32>) -> !nn.rows<records x 5xf32>
  nn.output "y", %k {index = 0 : i64} : !nn.rows<records x 5xf32>
  return
}

// A reader behind another kernel finds the result as it was.
func.func @predict() {
  %x = nn.input "x" {index = 0 : i64} : !nn.rows<records x 5xf32>
  %m = kernel.invoke "matmul" @matmul_0(%x) : (!nn.rows<records x 5xf32>) -> !nn.rows<records x 5xf32>
  %g = nn.gelu %m : !nn.rows<records x 5xf32>
  %k = kernel.invoke "matmul" @matmul_1(%g) : (!nn.rows<records x 5xf32>) -> !nn.rows<records x 5xf32>
  %r = nn.mul %k, %m : !nn.rows<records x 5xf32>, !nn.rows<records x 5xf32> -> !nn.rows<records x 5xf32>
  nn.output "y", %r {index = 0 : i64} : !nn.rows<records x 5xf32>
  return
}
