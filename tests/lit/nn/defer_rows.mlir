// RUN: pipe-opt %s --penstock-defer-rows | FileCheck %s
// RUN: pipe-opt %s --penstock-defer-rows | FileCheck %s --check-prefix=SETTLE
// RUN: pipe-opt %s --penstock-defer-rows --penstock-nn-to-kernel --penstock-form-regions --penstock-kernel-to-linalg | FileCheck %s --check-prefix=LOOPS

// Only a large table that one lookup alone reads is deferred: not a small one, nor one whose squares count, too.
// CHECK: nn.global @large : {{.*}} update = "deferred"
// CHECK-NOT: update
// CHECK-LABEL: func.func @train_step
// CHECK: %[[IDS:.*]] = nn.input "tokens"
// CHECK-NEXT: nn.refresh @large, %[[IDS]]
// CHECK: nn.embedding
// CHECK-NOT: nn.gradient @large
// CHECK: nn.row_gradient @large, %[[IDS]], %{{.*}} : !nn.rows<records x @tokens x 1xi32>, !nn.rows<records x @tokens x 65xf32>
// CHECK: nn.gradient @small
// CHECK: nn.gradient @read_twice

// SETTLE-LABEL: func.func @settle
// SETTLE: nn.settle {{.*}}kind = "adamw"

// The rows of the batch are grouped, made up for, given a gradient and updated, each in one parallel loop.
// LOOPS: kernel.call "group_rows"
// LOOPS: kernel.parallel
// LOOPS: kernel.call "grouped_gradient"
// LOOPS: kernel.entry @train_step
// LOOPS: func.func private @[[STEP:.*]](
// LOOPS: kernel.parallel
// LOOPS: kernel.entry @settle
// LOOPS-NEXT: kernel.step @[[STEP]]
nn.global @large : tensor<1009x65xf32> {tensor_class = "parameter", decays = true}
nn.global @small : tensor<7x65xf32> {tensor_class = "parameter"}
nn.global @read_twice : tensor<1009x65xf32> {tensor_class = "parameter"}
func.func @train_step() {
  %ids = nn.input "tokens" {index = 0 : i64} : !nn.rows<records x @tokens x 1xi32>
  %large = nn.read @large : tensor<1009x65xf32>
  %small = nn.read @small : tensor<7x65xf32>
  %twice = nn.read @read_twice : tensor<1009x65xf32>
  %a = nn.embedding %ids, %large : !nn.rows<records x @tokens x 1xi32>, tensor<1009x65xf32> -> !nn.rows<records x @tokens x 65xf32>
  %b = nn.embedding %ids, %small : !nn.rows<records x @tokens x 1xi32>, tensor<7x65xf32> -> !nn.rows<records x @tokens x 65xf32>
  %c = nn.embedding %ids, %twice : !nn.rows<records x @tokens x 1xi32>, tensor<1009x65xf32> -> !nn.rows<records x @tokens x 65xf32>
  %squares = nn.mul %twice, %twice : tensor<1009x65xf32>, tensor<1009x65xf32> -> tensor<1009x65xf32>
  %ab = nn.add %a, %b : !nn.rows<records x @tokens x 65xf32>, !nn.rows<records x @tokens x 65xf32> -> !nn.rows<records x @tokens x 65xf32>
  %abc = nn.add %ab, %c : !nn.rows<records x @tokens x 65xf32>, !nn.rows<records x @tokens x 65xf32> -> !nn.rows<records x @tokens x 65xf32>
  %t = nn.total %abc : !nn.rows<records x @tokens x 65xf32> -> tensor<f32>
  %s = nn.total %squares : tensor<1009x65xf32> -> tensor<f32>
  %loss = nn.add %t, %s : tensor<f32>, tensor<f32> -> tensor<f32>
  nn.output "loss", %loss {index = 0 : i64} : tensor<f32>
  %large_gradient = nn.embedding_grad %ids, %abc : !nn.rows<records x @tokens x 1xi32>, !nn.rows<records x @tokens x 65xf32> -> tensor<1009x65xf32>
  %small_gradient = nn.embedding_grad %ids, %abc : !nn.rows<records x @tokens x 1xi32>, !nn.rows<records x @tokens x 65xf32> -> tensor<7x65xf32>
  %twice_gradient = nn.embedding_grad %ids, %abc : !nn.rows<records x @tokens x 1xi32>, !nn.rows<records x @tokens x 65xf32> -> tensor<1009x65xf32>
  nn.gradient @large, %large_gradient : tensor<1009x65xf32>
  nn.gradient @small, %small_gradient : tensor<7x65xf32>
  nn.gradient @read_twice, %twice_gradient : tensor<1009x65xf32>
  nn.apply "adamw" {weight_decay = 1.000000e-02 : f64}
  return
}
