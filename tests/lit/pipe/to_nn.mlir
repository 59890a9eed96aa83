// RUN: pipe-opt %s | pipe-opt | FileCheck %s --check-prefix=PIPE
// RUN: pipe-opt %s --penstock-pipe-to-nn | FileCheck %s
// RUN: pipe-opt %s --penstock-pipe-to-nn --penstock-fuse-segments --penstock-derive-entries --penstock-autodiff --cse --canonicalize | FileCheck %s --check-prefix=STEP

// The Pipe text survives a round trip.
// PIPE: pipe.pipeline @small edition(1)
// PIPE: pipe.feature "tokens"
// PIPE: pipe.call "linear"(%{{.*}}) at "answer" with {bias = true, width = 2 : i64} weights [{decays = true
// PIPE: pipe.objective "" %{{.*}} {kind = "sgd", momentum = 9.000000e-01 : f64} {clip_norm = 0.000000e+00 : f64}

// The batch layout and the optimizer are attributes; the learning rate comes with every step.
// CHECK: module attributes {
// CHECK-SAME: {name = "tokens", target = false, type = !nn.rows<records x @tokens x 1xi32>}
// CHECK-SAME: {name = "label", target = true, type = !nn.rows<records x 1xi32>}
// CHECK-SAME: nn.objectives = [{clip_norm = 0.000000e+00 : f64, kind = "sgd", momentum = 9.000000e-01 : f64}]

// Decaying weights come first, each group in the order of declaration.
// CHECK: nn.global @h.weight : tensor<31x6xf32> {decays = true, initializer = "normal", scale = 1.000000e+00 : f64, tensor_class = "parameter"}
// CHECK-NEXT: nn.global @block.in_weight
// CHECK-NEXT: nn.global @block.out_weight
// CHECK-NEXT: nn.global @c.weight
// CHECK-NEXT: nn.global @answer.weight
// CHECK-NEXT: nn.global @norm.weight : tensor<6xf32> {initializer = "ones"
// CHECK-NEXT: nn.global @norm.bias
// CHECK-NEXT: nn.global @block.in_bias
// CHECK-NEXT: nn.global @block.out_bias
// CHECK-NEXT: nn.global @c.bias
// CHECK-NEXT: nn.global @answer.bias

// CHECK-LABEL: func.func @model()
// CHECK: %[[IDS:.*]] = nn.input "tokens" {index = 0 : i64} : !nn.rows<records x @tokens x 1xi32>
// CHECK: nn.embedding %[[IDS]]
// CHECK: nn.position_rows {{.*}} : tensor<5x6xf32> -> !nn.rows<records x @tokens x 6xf32>
// CHECK: nn.normalize
// CHECK: nn.matmul {{.*}} -> !nn.rows<records x @tokens x 18xf32>
// CHECK: nn.attention {{.*}} {dropout = 1.000000e-01 : f64, heads = 2 : i64, key = {{-?[0-9]+}} : i64}
// CHECK: %[[SUM:.*]] = nn.segment_sum
// CHECK: %[[LENGTH:.*]] = nn.segment_length @tokens
// CHECK: nn.div %[[SUM]], %[[LENGTH]]
// CHECK: nn.conv1d
// CHECK: nn.segment_max
// CHECK: nn.concat
// CHECK: nn.cross_entropy_rows {{.*}}label_smoothing = 1.000000e-01
// Half the squares of the two decaying weights below `block`, no others.
// CHECK: %[[A:.*]] = nn.total {{.*}} : tensor<6x18xf32> -> tensor<f32>
// CHECK: %[[B:.*]] = nn.total {{.*}} : tensor<6x6xf32> -> tensor<f32>
// CHECK: %[[AB:.*]] = nn.add %[[A]], %[[B]]
// CHECK: nn.mul %[[AB]]
// CHECK: nn.output "loss", %{{.*}} {index = 0 : i64}
// CHECK: nn.output "answer", %{{.*}} {index = 1 : i64}
// CHECK-NOT: pipe.

// STEP-LABEL: func.func @train_step
// STEP: nn.conv1d_max
// STEP-COUNT-11: nn.gradient
// STEP-NOT: nn.gradient
// STEP: nn.apply "sgd"
// STEP-LABEL: func.func @evaluate
// STEP-NOT: nn.dropout
// STEP-LABEL: func.func @predict
// STEP-NOT: "label"
// STEP: nn.output "answer", %{{.*}} {index = 0 : i64}
pipe.pipeline @small edition(1) {
  %text = pipe.column "text" : !pipe.text
  %label = pipe.column "label" {input = 1 : i64, target = true} : !pipe.class<2>
  %tokens = pipe.feature "tokens" {input = 0 : i64} : !pipe.ids<"tokens", 31>
  %e = pipe.call "embedding"(%tokens) at "h" with {width = 6 : i64} weights [{name = "weight", shape = array<i64: 31, 6>, initializer = "normal", scale = 1.0 : f64, decays = true}] : (!pipe.ids<"tokens", 31>) -> !pipe.sequence<"tokens", 6>
  %p = pipe.call "positions"(%e) at "h.positions_0" with {kind = "sinusoidal", max = 5 : i64} : (!pipe.sequence<"tokens", 6>) -> !pipe.sequence<"tokens", 6>
  %n = pipe.call "layer_norm"(%p) at "norm" with {epsilon = 1.0e-5 : f64} weights [{name = "weight", shape = array<i64: 6>, initializer = "ones", scale = 0.0 : f64, decays = false}, {name = "bias", shape = array<i64: 6>, initializer = "zeros", scale = 0.0 : f64, decays = false}] : (!pipe.sequence<"tokens", 6>) -> !pipe.sequence<"tokens", 6>
  %a = pipe.call "self_attention"(%n) at "block" with {heads = 2 : i64, dropout = 0.1 : f64} weights [{name = "in_weight", shape = array<i64: 6, 18>, initializer = "uniform", scale = 0.5 : f64, decays = true}, {name = "in_bias", shape = array<i64: 18>, initializer = "zeros", scale = 0.0 : f64, decays = false}, {name = "out_weight", shape = array<i64: 6, 6>, initializer = "uniform", scale = 0.4 : f64, decays = true}, {name = "out_bias", shape = array<i64: 6>, initializer = "zeros", scale = 0.0 : f64, decays = false}] : (!pipe.sequence<"tokens", 6>) -> !pipe.sequence<"tokens", 6>
  %d = pipe.call "dropout"(%a) at "drop" with {p = 0.5 : f64} : (!pipe.sequence<"tokens", 6>) -> !pipe.sequence<"tokens", 6>
  %r = pipe.call "add"(%n, %d) at "add_0" : (!pipe.sequence<"tokens", 6>, !pipe.sequence<"tokens", 6>) -> !pipe.sequence<"tokens", 6>
  %mean = pipe.call "pool"(%r) at "pool_0" with {kind = "mean"} : (!pipe.sequence<"tokens", 6>) -> !pipe.vector<6>
  %c = pipe.call "conv1d"(%r) at "c" with {width = 3 : i64, maps = 5 : i64, bias = true} weights [{name = "weight", shape = array<i64: 3, 6, 5>, initializer = "uniform", scale = 0.2 : f64, decays = true}, {name = "bias", shape = array<i64: 5>, initializer = "uniform", scale = 0.2 : f64, decays = false}] : (!pipe.sequence<"tokens", 6>) -> !pipe.sequence<"tokens", 5>
  %relu = pipe.call "relu"(%c) at "relu_0" : (!pipe.sequence<"tokens", 5>) -> !pipe.sequence<"tokens", 5>
  %max = pipe.call "pool"(%relu) at "pool_1" with {kind = "max"} : (!pipe.sequence<"tokens", 5>) -> !pipe.vector<5>
  %both = pipe.call "concat"(%mean, %max) at "concat_0" : (!pipe.vector<6>, !pipe.vector<5>) -> !pipe.vector<11>
  %logits = pipe.call "linear"(%both) at "answer" with {width = 2 : i64, bias = true} weights [{name = "weight", shape = array<i64: 11, 2>, initializer = "uniform", scale = 0.3 : f64, decays = true}, {name = "bias", shape = array<i64: 2>, initializer = "uniform", scale = 0.3 : f64, decays = false}] : (!pipe.vector<11>) -> !pipe.vector<2>
  %prob = pipe.call "softmax"(%logits) at "answer.softmax_0" : (!pipe.vector<2>) -> !pipe.vector<2>
  %loss = pipe.call "cross_entropy"(%logits, %label) at "answer.cross_entropy_0" with {label_smoothing = 0.1 : f64, class_weights = array<f64: 1.0, 3.0>} : (!pipe.vector<2>, !pipe.class<2>) -> !pipe.scalar
  %l2 = pipe.call "l2"() at "l2_0" with {prefix = "block"} : () -> !pipe.scalar
  %k = pipe.call "constant"() at "constant_0" with {value = 1.0e-3 : f64} : () -> !pipe.scalar
  %scaled = pipe.call "mul"(%l2, %k) at "mul_0" : (!pipe.scalar, !pipe.scalar) -> !pipe.scalar
  %objective = pipe.call "add"(%loss, %scaled) at "add_1" : (!pipe.scalar, !pipe.scalar) -> !pipe.scalar
  pipe.answer "answer" %prob target "label" decoder "classify" : !pipe.vector<2>
  pipe.objective "" %objective {kind = "sgd", momentum = 0.9 : f64} {clip_norm = 0.0 : f64}
}
