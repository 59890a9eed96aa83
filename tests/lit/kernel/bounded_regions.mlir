// RUN: pipe-opt %s --penstock-form-regions | FileCheck %s

// A concatenation of more than 32 parts becomes one of concatenations, in a region of its own where the bound is reached.
// CHECK-LABEL: func.func @parts
// CHECK: kernel.rows "records"
// CHECK: nn.concat {{.*}} -> !nn.rows<records x 64xf32>
// CHECK: nn.concat {{.*}} : !nn.rows<records x 2xf32> -> !nn.rows<records x 2xf32>
// CHECK: nn.concat {{.*}} : !nn.rows<records x 64xf32>, !nn.rows<records x 2xf32> -> !nn.rows<records x 66xf32>
func.func @parts() {
  %a = nn.input "a" {index = 0 : i64} : !nn.rows<records x 2xf32>
  %y = nn.concat %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a : !nn.rows<records x 2xf32>, !nn.rows<records x 2xf32>, !nn.rows<records x 2xf32>, !nn.rows<records x 2xf32>, !nn.rows<records x 2xf32>, !nn.rows<records x 2xf32>, !nn.rows<records x 2xf32>, !nn.rows<records x 2xf32>, !nn.rows<records x 2xf32>, !nn.rows<records x 2xf32>, !nn.rows<records x 2xf32>, !nn.rows<records x 2xf32>, !nn.rows<records x 2xf32>, !nn.rows<records x 2xf32>, !nn.rows<records x 2xf32>, !nn.rows<records x 2xf32>, !nn.rows<records x 2xf32>, !nn.rows<records x 2xf32>, !nn.rows<records x 2xf32>, !nn.rows<records x 2xf32>, !nn.rows<records x 2xf32>, !nn.rows<records x 2xf32>, !nn.rows<records x 2xf32>, !nn.rows<records x 2xf32>, !nn.rows<records x 2xf32>, !nn.rows<records x 2xf32>, !nn.rows<records x 2xf32>, !nn.rows<records x 2xf32>, !nn.rows<records x 2xf32>, !nn.rows<records x 2xf32>, !nn.rows<records x 2xf32>, !nn.rows<records x 2xf32>, !nn.rows<records x 2xf32> -> !nn.rows<records x 66xf32>
  nn.output "y", %y {index = 0 : i64} : !nn.rows<records x 66xf32>
  return
}

// Forty-one layers of two operations: a region ends where the layers behind it are as those that it began with.
// CHECK-LABEL: func.func @chain
// CHECK: kernel.rows "records"
// CHECK-COUNT-18: nn.tanh
// CHECK-NEXT: kernel.yield
// CHECK: kernel.rows "records"
// CHECK-NEXT: nn.neg
// CHECK-COUNT-18: nn.tanh
// CHECK-NEXT: kernel.yield
// CHECK: kernel.rows "records"
// CHECK-NEXT: nn.neg
// CHECK-COUNT-5: nn.tanh
// CHECK-NEXT: kernel.yield
func.func @chain() {
  %c0 = nn.input "a" {index = 0 : i64} : !nn.rows<records x 2xf32>
  %n0 = nn.neg %c0 : !nn.rows<records x 2xf32>
  %c1 = nn.tanh %n0 : !nn.rows<records x 2xf32>
  %n1 = nn.neg %c1 : !nn.rows<records x 2xf32>
  %c2 = nn.tanh %n1 : !nn.rows<records x 2xf32>
  %n2 = nn.neg %c2 : !nn.rows<records x 2xf32>
  %c3 = nn.tanh %n2 : !nn.rows<records x 2xf32>
  %n3 = nn.neg %c3 : !nn.rows<records x 2xf32>
  %c4 = nn.tanh %n3 : !nn.rows<records x 2xf32>
  %n4 = nn.neg %c4 : !nn.rows<records x 2xf32>
  %c5 = nn.tanh %n4 : !nn.rows<records x 2xf32>
  %n5 = nn.neg %c5 : !nn.rows<records x 2xf32>
  %c6 = nn.tanh %n5 : !nn.rows<records x 2xf32>
  %n6 = nn.neg %c6 : !nn.rows<records x 2xf32>
  %c7 = nn.tanh %n6 : !nn.rows<records x 2xf32>
  %n7 = nn.neg %c7 : !nn.rows<records x 2xf32>
  %c8 = nn.tanh %n7 : !nn.rows<records x 2xf32>
  %n8 = nn.neg %c8 : !nn.rows<records x 2xf32>
  %c9 = nn.tanh %n8 : !nn.rows<records x 2xf32>
  %n9 = nn.neg %c9 : !nn.rows<records x 2xf32>
  %c10 = nn.tanh %n9 : !nn.rows<records x 2xf32>
  %n10 = nn.neg %c10 : !nn.rows<records x 2xf32>
  %c11 = nn.tanh %n10 : !nn.rows<records x 2xf32>
  %n11 = nn.neg %c11 : !nn.rows<records x 2xf32>
  %c12 = nn.tanh %n11 : !nn.rows<records x 2xf32>
  %n12 = nn.neg %c12 : !nn.rows<records x 2xf32>
  %c13 = nn.tanh %n12 : !nn.rows<records x 2xf32>
  %n13 = nn.neg %c13 : !nn.rows<records x 2xf32>
  %c14 = nn.tanh %n13 : !nn.rows<records x 2xf32>
  %n14 = nn.neg %c14 : !nn.rows<records x 2xf32>
  %c15 = nn.tanh %n14 : !nn.rows<records x 2xf32>
  %n15 = nn.neg %c15 : !nn.rows<records x 2xf32>
  %c16 = nn.tanh %n15 : !nn.rows<records x 2xf32>
  %n16 = nn.neg %c16 : !nn.rows<records x 2xf32>
  %c17 = nn.tanh %n16 : !nn.rows<records x 2xf32>
  %n17 = nn.neg %c17 : !nn.rows<records x 2xf32>
  %c18 = nn.tanh %n17 : !nn.rows<records x 2xf32>
  %n18 = nn.neg %c18 : !nn.rows<records x 2xf32>
  %c19 = nn.tanh %n18 : !nn.rows<records x 2xf32>
  %n19 = nn.neg %c19 : !nn.rows<records x 2xf32>
  %c20 = nn.tanh %n19 : !nn.rows<records x 2xf32>
  %n20 = nn.neg %c20 : !nn.rows<records x 2xf32>
  %c21 = nn.tanh %n20 : !nn.rows<records x 2xf32>
  %n21 = nn.neg %c21 : !nn.rows<records x 2xf32>
  %c22 = nn.tanh %n21 : !nn.rows<records x 2xf32>
  %n22 = nn.neg %c22 : !nn.rows<records x 2xf32>
  %c23 = nn.tanh %n22 : !nn.rows<records x 2xf32>
  %n23 = nn.neg %c23 : !nn.rows<records x 2xf32>
  %c24 = nn.tanh %n23 : !nn.rows<records x 2xf32>
  %n24 = nn.neg %c24 : !nn.rows<records x 2xf32>
  %c25 = nn.tanh %n24 : !nn.rows<records x 2xf32>
  %n25 = nn.neg %c25 : !nn.rows<records x 2xf32>
  %c26 = nn.tanh %n25 : !nn.rows<records x 2xf32>
  %n26 = nn.neg %c26 : !nn.rows<records x 2xf32>
  %c27 = nn.tanh %n26 : !nn.rows<records x 2xf32>
  %n27 = nn.neg %c27 : !nn.rows<records x 2xf32>
  %c28 = nn.tanh %n27 : !nn.rows<records x 2xf32>
  %n28 = nn.neg %c28 : !nn.rows<records x 2xf32>
  %c29 = nn.tanh %n28 : !nn.rows<records x 2xf32>
  %n29 = nn.neg %c29 : !nn.rows<records x 2xf32>
  %c30 = nn.tanh %n29 : !nn.rows<records x 2xf32>
  %n30 = nn.neg %c30 : !nn.rows<records x 2xf32>
  %c31 = nn.tanh %n30 : !nn.rows<records x 2xf32>
  %n31 = nn.neg %c31 : !nn.rows<records x 2xf32>
  %c32 = nn.tanh %n31 : !nn.rows<records x 2xf32>
  %n32 = nn.neg %c32 : !nn.rows<records x 2xf32>
  %c33 = nn.tanh %n32 : !nn.rows<records x 2xf32>
  %n33 = nn.neg %c33 : !nn.rows<records x 2xf32>
  %c34 = nn.tanh %n33 : !nn.rows<records x 2xf32>
  %n34 = nn.neg %c34 : !nn.rows<records x 2xf32>
  %c35 = nn.tanh %n34 : !nn.rows<records x 2xf32>
  %n35 = nn.neg %c35 : !nn.rows<records x 2xf32>
  %c36 = nn.tanh %n35 : !nn.rows<records x 2xf32>
  %n36 = nn.neg %c36 : !nn.rows<records x 2xf32>
  %c37 = nn.tanh %n36 : !nn.rows<records x 2xf32>
  %n37 = nn.neg %c37 : !nn.rows<records x 2xf32>
  %c38 = nn.tanh %n37 : !nn.rows<records x 2xf32>
  %n38 = nn.neg %c38 : !nn.rows<records x 2xf32>
  %c39 = nn.tanh %n38 : !nn.rows<records x 2xf32>
  %n39 = nn.neg %c39 : !nn.rows<records x 2xf32>
  %c40 = nn.tanh %n39 : !nn.rows<records x 2xf32>
  %n40 = nn.neg %c40 : !nn.rows<records x 2xf32>
  %c41 = nn.tanh %n40 : !nn.rows<records x 2xf32>
  nn.output "y", %c41 {index = 0 : i64} : !nn.rows<records x 2xf32>
  return
}
