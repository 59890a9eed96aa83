// RUN: pipe-opt %s --penstock-form-regions | FileCheck %s

// A concatenation of more than 32 parts becomes one of concatenations, in a region of its own where the bound is reached.
// CHECK-LABEL: func.func @parts
// CHECK: kernel.rows "records"
// CHECK: nn.concat {{.*}} -> tensor<?x64xf32>
// CHECK: nn.concat {{.*}} : tensor<?x2xf32> -> tensor<?x2xf32>
// CHECK: nn.concat {{.*}} : tensor<?x64xf32>, tensor<?x2xf32> -> tensor<?x66xf32>
func.func @parts() {
  %a = nn.input "a" {index = 0 : i64} : tensor<?x2xf32>
  %y = nn.concat %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a : tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x2xf32> -> tensor<?x66xf32>
  nn.output "y", %y {index = 0 : i64} : tensor<?x66xf32>
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
  %c0 = nn.input "a" {index = 0 : i64} : tensor<?x2xf32>
  %n0 = nn.neg %c0 : tensor<?x2xf32>
  %c1 = nn.tanh %n0 : tensor<?x2xf32>
  %n1 = nn.neg %c1 : tensor<?x2xf32>
  %c2 = nn.tanh %n1 : tensor<?x2xf32>
  %n2 = nn.neg %c2 : tensor<?x2xf32>
  %c3 = nn.tanh %n2 : tensor<?x2xf32>
  %n3 = nn.neg %c3 : tensor<?x2xf32>
  %c4 = nn.tanh %n3 : tensor<?x2xf32>
  %n4 = nn.neg %c4 : tensor<?x2xf32>
  %c5 = nn.tanh %n4 : tensor<?x2xf32>
  %n5 = nn.neg %c5 : tensor<?x2xf32>
  %c6 = nn.tanh %n5 : tensor<?x2xf32>
  %n6 = nn.neg %c6 : tensor<?x2xf32>
  %c7 = nn.tanh %n6 : tensor<?x2xf32>
  %n7 = nn.neg %c7 : tensor<?x2xf32>
  %c8 = nn.tanh %n7 : tensor<?x2xf32>
  %n8 = nn.neg %c8 : tensor<?x2xf32>
  %c9 = nn.tanh %n8 : tensor<?x2xf32>
  %n9 = nn.neg %c9 : tensor<?x2xf32>
  %c10 = nn.tanh %n9 : tensor<?x2xf32>
  %n10 = nn.neg %c10 : tensor<?x2xf32>
  %c11 = nn.tanh %n10 : tensor<?x2xf32>
  %n11 = nn.neg %c11 : tensor<?x2xf32>
  %c12 = nn.tanh %n11 : tensor<?x2xf32>
  %n12 = nn.neg %c12 : tensor<?x2xf32>
  %c13 = nn.tanh %n12 : tensor<?x2xf32>
  %n13 = nn.neg %c13 : tensor<?x2xf32>
  %c14 = nn.tanh %n13 : tensor<?x2xf32>
  %n14 = nn.neg %c14 : tensor<?x2xf32>
  %c15 = nn.tanh %n14 : tensor<?x2xf32>
  %n15 = nn.neg %c15 : tensor<?x2xf32>
  %c16 = nn.tanh %n15 : tensor<?x2xf32>
  %n16 = nn.neg %c16 : tensor<?x2xf32>
  %c17 = nn.tanh %n16 : tensor<?x2xf32>
  %n17 = nn.neg %c17 : tensor<?x2xf32>
  %c18 = nn.tanh %n17 : tensor<?x2xf32>
  %n18 = nn.neg %c18 : tensor<?x2xf32>
  %c19 = nn.tanh %n18 : tensor<?x2xf32>
  %n19 = nn.neg %c19 : tensor<?x2xf32>
  %c20 = nn.tanh %n19 : tensor<?x2xf32>
  %n20 = nn.neg %c20 : tensor<?x2xf32>
  %c21 = nn.tanh %n20 : tensor<?x2xf32>
  %n21 = nn.neg %c21 : tensor<?x2xf32>
  %c22 = nn.tanh %n21 : tensor<?x2xf32>
  %n22 = nn.neg %c22 : tensor<?x2xf32>
  %c23 = nn.tanh %n22 : tensor<?x2xf32>
  %n23 = nn.neg %c23 : tensor<?x2xf32>
  %c24 = nn.tanh %n23 : tensor<?x2xf32>
  %n24 = nn.neg %c24 : tensor<?x2xf32>
  %c25 = nn.tanh %n24 : tensor<?x2xf32>
  %n25 = nn.neg %c25 : tensor<?x2xf32>
  %c26 = nn.tanh %n25 : tensor<?x2xf32>
  %n26 = nn.neg %c26 : tensor<?x2xf32>
  %c27 = nn.tanh %n26 : tensor<?x2xf32>
  %n27 = nn.neg %c27 : tensor<?x2xf32>
  %c28 = nn.tanh %n27 : tensor<?x2xf32>
  %n28 = nn.neg %c28 : tensor<?x2xf32>
  %c29 = nn.tanh %n28 : tensor<?x2xf32>
  %n29 = nn.neg %c29 : tensor<?x2xf32>
  %c30 = nn.tanh %n29 : tensor<?x2xf32>
  %n30 = nn.neg %c30 : tensor<?x2xf32>
  %c31 = nn.tanh %n30 : tensor<?x2xf32>
  %n31 = nn.neg %c31 : tensor<?x2xf32>
  %c32 = nn.tanh %n31 : tensor<?x2xf32>
  %n32 = nn.neg %c32 : tensor<?x2xf32>
  %c33 = nn.tanh %n32 : tensor<?x2xf32>
  %n33 = nn.neg %c33 : tensor<?x2xf32>
  %c34 = nn.tanh %n33 : tensor<?x2xf32>
  %n34 = nn.neg %c34 : tensor<?x2xf32>
  %c35 = nn.tanh %n34 : tensor<?x2xf32>
  %n35 = nn.neg %c35 : tensor<?x2xf32>
  %c36 = nn.tanh %n35 : tensor<?x2xf32>
  %n36 = nn.neg %c36 : tensor<?x2xf32>
  %c37 = nn.tanh %n36 : tensor<?x2xf32>
  %n37 = nn.neg %c37 : tensor<?x2xf32>
  %c38 = nn.tanh %n37 : tensor<?x2xf32>
  %n38 = nn.neg %c38 : tensor<?x2xf32>
  %c39 = nn.tanh %n38 : tensor<?x2xf32>
  %n39 = nn.neg %c39 : tensor<?x2xf32>
  %c40 = nn.tanh %n39 : tensor<?x2xf32>
  %n40 = nn.neg %c40 : tensor<?x2xf32>
  %c41 = nn.tanh %n40 : tensor<?x2xf32>
  nn.output "y", %c41 {index = 0 : i64} : tensor<?x2xf32>
  return
}
