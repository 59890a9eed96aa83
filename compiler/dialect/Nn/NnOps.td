#ifndef PENSTOCK_DIALECT_NN_OPS
#define PENSTOCK_DIALECT_NN_OPS

include "compiler/dialect/Nn/NnBase.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"

class Nn_Op<string mnemonic, list<Trait> traits = []> : Op<Nn_Dialect, mnemonic, traits>;
class Nn_Pure<string mnemonic, list<Trait> traits = []> : Nn_Op<mnemonic, !listconcat([Pure], traits)>;
// Of a region: a result's row from the same row of the operands, or from what the row names.
class Nn_Row<string mnemonic, list<Trait> traits = []> : Nn_Pure<mnemonic, !listconcat([Nn_RowOp, Nn_RowWise], traits)>;
class Nn_Gather<string mnemonic, list<Trait> traits = []> : Nn_Pure<mnemonic, !listconcat([DeclareOpInterfaceMethods<Nn_RowOp, ["readsOneRow"]>], traits)>;
class Nn_RowSums<string mnemonic, list<Trait> traits = []> : Nn_Pure<mnemonic, !listconcat([DeclareOpInterfaceMethods<Nn_RowOp, ["sumsOverRows"]>], traits)>;
def Nn_Vjp : DeclareOpInterfaceMethods<Nn_Differentiable>;
def Nn_Element : DeclareOpInterfaceMethods<Nn_ElementWise>;
def Nn_NamesGlobal : DeclareOpInterfaceMethods<SymbolUserOpInterface>;

//===--- long-lived tensors, inputs, effects ------------------------------------------------------------------------===//

def Nn_GlobalOp : Nn_Op<"global", [Symbol]> {
  let summary = "a tensor that outlives a step";
  let description = [{
    `tensor_class` says what it lives for: `parameter` has a gradient; `model_state` is written by training steps (`nn.update`) and
    read by all entries, so that it is saved with the parameters; `training_state` is written and read by training steps alone, as
    the optimizer's moments are; `fitted` is a constant of a fit. `initializer` is one of zeros, ones, uniform, normal, constant
    with `scale` (half width, standard deviation, value). `decays`: weight decay applies.
    `rate`: its learning rate is that of the step times this. `frozen`: never changed, so it has no gradient and no state.
    `objective`: which of the module's objectives moves it, or writes the state.
    `update`: `whole`; or `rows`, a table whose squares are summed row by row for the norm of the gradient; or `deferred`,
    a table of which a step touches only the rows that it reads (--penstock-defer-rows). `notice`: the state, one number, counts parts of
    steps, and this is what a person is told of them at the end of training. `packed_only`: only packing reads it.

    Example: `nn.global @"answer.weight" : tensor<128x2xf32> {tensor_class = "parameter", initializer = "uniform", scale = 0.08 : f64, decays = true}`
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, TypeAttrOf<Nn_F32Tensor>:$type, StrAttr:$tensor_class,
                       DefaultValuedAttr<StrAttr, "\"zeros\"">:$initializer, DefaultValuedAttr<F64Attr, "0.0">:$scale,
                       DefaultValuedAttr<BoolAttr, "false">:$decays, DefaultValuedAttr<F64Attr, "1.0">:$rate,
                       DefaultValuedAttr<BoolAttr, "false">:$frozen,
                       DefaultValuedAttr<StrAttr, "\"whole\"">:$update, DefaultValuedAttr<StrAttr, "\"\"">:$notice,
                       DefaultValuedAttr<I64Attr, "0">:$objective, DefaultValuedAttr<BoolAttr, "false">:$packed_only);
  let assemblyFormat = "$sym_name `:` $type attr-dict";
  let hasVerifier = 1;
}

def Nn_ReadOp : Nn_Pure<"read", [Nn_Leaf, Nn_NamesGlobal]> {
  let summary = "the value of a global at the start of the step";
  let description = "Also where it is updated in the same step. Example: `%w = nn.read @\"answer.weight\" : tensor<128x2xf32>`";
  let arguments = (ins FlatSymbolRefAttr:$name);
  let results = (outs Nn_F32Tensor:$result);
  let assemblyFormat = "$name `:` type($result) attr-dict";
}

def Nn_UpdateOp : Nn_Op<"update", [Nn_GlobalWriter, Nn_NamesGlobal]> {
  let summary = "the value of a state from the end of the step on";
  let description = [{
    Of a `model_state` or `training_state`; `value` is computed by the step. In @model it holds for steps of training: evaluation and
    prediction leave it out. The parts of a step update one after another, each on what the part before left.
    In @model it may say what the state is `of`: it holds in a step whose objective reads one of these, so that a state moves where the weights
    beside it do.
    Example: `nn.update @"encoder.norm.mean", %next : tensor<128xf32> of %centered : !nn.rows<records x 128xf32>`
  }];
  let arguments = (ins FlatSymbolRefAttr:$name, Nn_F32Tensor:$value, Variadic<Nn_Rows>:$of);
  let assemblyFormat = "$name `,` $value `:` type($value) (`of` $of^ `:` type($of))? attr-dict";
  let hasVerifier = 1;
}

def Nn_InTrainingOp : Nn_Pure<"in_training", [AllTypesMatch<["step", "otherwise", "result"]>]> {
  let summary = "in a step of training the first value, in every other entry the second";
  let description = [{
    Of @model: --penstock-derive-entries puts one of the two in its place, so nothing behind it knows it.
    Example: `%mean = nn.in_training %of_batch, %running : tensor<128xf32>`
  }];
  let arguments = (ins Nn_Rows:$step, Nn_Rows:$otherwise);
  let results = (outs Nn_Rows:$result);
  let assemblyFormat = "$step `,` $otherwise attr-dict `:` type($result)";
}

def Nn_InputOp : Nn_Pure<"input", [Nn_Leaf]> {
  let summary = "one input of the batch";
  let description = [{
    `index` is the place in the batch layout. Example: `%ids = nn.input "tokens" {index = 0 : i64} : !nn.rows<records x @tokens x 1xi32>`
  }];
  let arguments = (ins StrAttr:$name, I64Attr:$index);
  let results = (outs Nn_Value:$result);
  let assemblyFormat = "$name attr-dict `:` type($result)";
}

def Nn_ConstantOp : Nn_Pure<"constant", [Nn_Leaf, Nn_Immediate]> {
  let summary = "a scalar, or a static tensor";
  let description = "Example: `%c = nn.constant dense<0.5> : tensor<f32> : tensor<f32>`";
  let arguments = (ins ElementsAttr:$value);
  let results = (outs Nn_F32Tensor:$result);
  let assemblyFormat = "$value attr-dict `:` type($result)";
}

def Nn_GradientOp : Nn_Op<"gradient", [Nn_GlobalWriter, Nn_NamesGlobal]> {
  let summary = "hands the gradient of a parameter to the optimizer";
  let description = "Exactly one, or one `nn.row_gradient`, for every parameter of a training step that is not frozen. Example: `nn.gradient @\"answer.weight\", %g : tensor<128x2xf32>`";
  let arguments = (ins FlatSymbolRefAttr:$name, Nn_F32Tensor:$gradient);
  let assemblyFormat = "$name `,` $gradient `:` type($gradient) attr-dict";
}

def Nn_RowGradientOp : Nn_Op<"row_gradient", [Nn_GlobalWriter, Nn_NamesGlobal]> {
  let summary = "hands the gradient of a deferred table to the optimizer: sums of cotangent rows by id, of the ids that occur";
  let description = [{
    A cotangent a row of the ids, or a record. Example:
    `nn.row_gradient @"h.embedding_0.weight", %ids, %g : !nn.rows<records x @tokens x 1xi32>, !nn.rows<records x @tokens x 8xf32>`
  }];
  let arguments = (ins FlatSymbolRefAttr:$name, Nn_Ids:$ids, Nn_Rows:$cotangent);
  let assemblyFormat = "$name `,` $ids `,` $cotangent attr-dict `:` type($ids) `,` type($cotangent)";
}

def Nn_RefreshOp : Nn_Op<"refresh", [Nn_Optimizes, Nn_NamesGlobal]> {
  let summary = "brings the rows of a deferred table that are read up to date: every step that passed them by is made up for";
  let description = "Example: `nn.refresh @\"h.embedding_0.weight\", %ids : !nn.rows<records x @tokens x 1xi32>`";
  let arguments = (ins FlatSymbolRefAttr:$name, Nn_Ids:$ids);
  let assemblyFormat = "$name `,` $ids attr-dict `:` type($ids)";
}

def Nn_AccumulateOp : Nn_Op<"accumulate", [Nn_EndsEntry, Nn_Optimizes]> {
  let summary = "adds the gradients of a part of a step to the sums that nn.apply of another entry reads";
  let description = "Of one objective. The first part of a step begins the sums anew. Example: `nn.accumulate`";
  let arguments = (ins DefaultValuedAttr<I64Attr, "0">:$objective);
  let assemblyFormat = "attr-dict";
}

def Nn_ApplyOp : Nn_Op<"apply", [Nn_EndsEntry, Nn_Optimizes]> {
  let summary = "clips the gradients and updates what one objective moves, and the optimizer's states";
  let description = [{
    One pass over the flat buffers, range by range of equal decay and rate. `kind`: sgd, adam, adamw; decay applies to
    decaying parameters; `clip_norm` 0 means no clipping by global norm. The learning rate comes with the call.
    SGD as PyTorch's (momentum buffer starts with the first gradient: v = momentum * v + g, with v = 0 at first); Adam
    (arXiv 1412.6980) with bias correction by the step; AdamW (arXiv 1711.05101); `weight_decay` of sgd and adam is added to
    the gradient.
  }];
  let arguments = (ins StrAttr:$kind, DefaultValuedAttr<F64Attr, "0.0">:$momentum,
                       DefaultValuedAttr<BoolAttr, "false">:$nesterov, DefaultValuedAttr<F64Attr, "0.9">:$beta1,
                       DefaultValuedAttr<F64Attr, "0.999">:$beta2, DefaultValuedAttr<F64Attr, "1e-8">:$epsilon,
                       DefaultValuedAttr<F64Attr, "0.0">:$weight_decay, DefaultValuedAttr<F64Attr, "0.0">:$clip_norm,
                       DefaultValuedAttr<I64Attr, "0">:$objective);
  let assemblyFormat = "$kind attr-dict";
  let hasVerifier = 1;
}

def Nn_SettleOp : Nn_Op<"settle", [Nn_Optimizes]> {
  let summary = "brings all rows of the deferred tables of one objective up to date";
  let description = "`optimizer`: the attributes of the `nn.apply` that deferred them. Example: `nn.settle {kind = \"sgd\"}`";
  let arguments = (ins DictionaryAttr:$optimizer, DefaultValuedAttr<I64Attr, "0">:$objective);
  let assemblyFormat = "$optimizer attr-dict";
}

def Nn_OutputOp : Nn_Op<"output"> {
  let summary = "writes an output of the entry";
  let description = "Example: `nn.output \"loss\", %l {index = 0 : i64} : tensor<f32>`";
  let arguments = (ins StrAttr:$name, I64Attr:$index, Nn_Rows:$value);
  let assemblyFormat = "$name `,` $value attr-dict `:` type($value)";
}

//===--- element-wise -----------------------------------------------------------------------------------------------===//

class Nn_Unary<string mnemonic, string what, list<Trait> traits = [Nn_Vjp]>
    : Nn_Row<mnemonic, !listconcat([SameOperandsAndResultType, Nn_Element], traits)> {
  let summary = what;
  let description = "Element by element, any shape. Example: `%y = nn." # mnemonic # " %x : !nn.rows<records x 5xf32>`";
  let arguments = (ins Nn_Rows:$input);
  let results = (outs Nn_Rows:$result);
  let assemblyFormat = "$input attr-dict `:` type($result)";
}
class Nn_UnaryBy<string mnemonic, dag parameters, string what, list<Trait> traits = [Nn_Vjp]> : Nn_Unary<mnemonic, what, traits> {
  let description = "As the others of one value, with the numbers that it depends on as attributes.";
  let arguments = !con((ins Nn_Rows:$input), parameters);
}
def Nn_ReluOp : Nn_Unary<"relu", "max(x, 0); derivative 0 at 0", [Nn_Vjp, Nn_KeepsOrder]>;
def Nn_LeakyReluOp : Nn_UnaryBy<"leaky_relu", (ins F64Attr:$slope), "x above 0, else slope * x; derivative slope at 0">;
def Nn_EluOp : Nn_UnaryBy<"elu", (ins F64Attr:$alpha), "x above 0, else alpha * (exp(x) - 1); derivative alpha at 0">;
def Nn_GeluOp : Nn_Unary<"gelu", "x * (1 + erf(x / sqrt 2)) / 2">;
def Nn_TanhOp : Nn_Unary<"tanh", "hyperbolic tangent", [Nn_Vjp, Nn_KeepsOrder]>;
def Nn_SigmoidOp : Nn_Unary<"sigmoid", "1 / (1 + exp(-x))", [Nn_Vjp, Nn_KeepsOrder]>;
def Nn_SiluOp : Nn_Unary<"silu", "x / (1 + exp(-x))">;
def Nn_ExpOp : Nn_Unary<"exp", "e to the x", [Nn_Vjp, Nn_KeepsOrder]>;
def Nn_LogOp : Nn_Unary<"log", "natural logarithm">;
def Nn_SqrtOp : Nn_Unary<"sqrt", "square root">;
def Nn_SoftplusOp : Nn_Unary<"softplus", "log(1 + exp(x)), computed as max(x, 0) + log(1 + exp(-|x|))">;
def Nn_NegOp : Nn_Unary<"neg", "-x">;
def Nn_GeluSlopeOp : Nn_Unary<"gelu_slope", "gelu'(x) = (1 + erf(x / sqrt 2)) / 2 + x exp(-x^2 / 2) / sqrt(2 pi)", []>;

def Nn_ReluGradOp : Nn_Row<"relu_grad", [SameOperandsAndResultType, Nn_Element]> {
  let summary = "cotangent where input > 0, else 0";
  let arguments = (ins Nn_Rows:$input, Nn_Rows:$cotangent);
  let results = (outs Nn_Rows:$result);
  let assemblyFormat = "$input `,` $cotangent attr-dict `:` type($result)";
}

class Nn_Binary<string mnemonic, string what> : Nn_Row<mnemonic, [Nn_Element, Nn_Vjp]> {
  let summary = what;
  let description = [{
    Element by element. `rhs` may have the type of `lhs`, be a vector [D] (one row for all rows), a column (width 1: one number
    a row), or a scalar `tensor<f32>`. The result has the type of `lhs`.
  }];
  let arguments = (ins Nn_Rows:$lhs, Nn_Rows:$rhs);
  let results = (outs Nn_Rows:$result);
  let assemblyFormat = "$lhs `,` $rhs attr-dict `:` type($lhs) `,` type($rhs) `->` type($result)";
  let hasVerifier = 1;
  let builders = [OpBuilder<(ins "::mlir::Value":$lhs, "::mlir::Value":$rhs), [{
    build($_builder, $_state, lhs.getType(), lhs, rhs);
  }]>];
}
def Nn_AddOp : Nn_Binary<"add", "lhs + rhs">;
def Nn_SubOp : Nn_Binary<"sub", "lhs - rhs">;
def Nn_MulOp : Nn_Binary<"mul", "lhs * rhs">;
def Nn_DivOp : Nn_Binary<"div", "lhs / rhs">;

def Nn_DropoutOp : Nn_Row<"dropout", [SameOperandsAndResultType, Nn_Vjp]> {
  let summary = "zeroes elements with probability p, scales the rest by 1 / (1 - p)";
  let description = [{
    The mask is a function of (seed, step, `key`, record number, place in the record): dropout is linear for a given step, so
    its derivative is itself with the same key, and nothing is stored. Evaluation removes it.
  }];
  let arguments = (ins Nn_Rows:$input, F64Attr:$p, I64Attr:$key);
  let results = (outs Nn_Rows:$result);
  let assemblyFormat = "$input attr-dict `:` type($result)";
  let hasVerifier = 1;
}

//===--- rows -------------------------------------------------------------------------------------------------------===//

def Nn_SoftmaxOp : Nn_Row<"softmax", [SameOperandsAndResultType, Nn_Vjp]> {
  let summary = "softmax of every row";
  let arguments = (ins Nn_Rows:$input);
  let results = (outs Nn_Rows:$result);
  let assemblyFormat = "$input attr-dict `:` type($result)";
}

def Nn_NormalizeOp : Nn_Row<"normalize", [Nn_Vjp]> {
  let summary = "(x - mean) / sqrt(variance + epsilon) of every row: layer norm without its affine part";
  let description = "`rstd` is one over the root, a column; the derivative reads it (arXiv 1607.06450).";
  let arguments = (ins Nn_Rows:$input, F64Attr:$epsilon);
  let results = (outs Nn_Rows:$result, Nn_Rows:$rstd);
  let assemblyFormat = "$input attr-dict `:` type($input) `->` type($result) `,` type($rstd)";
}
def Nn_NormalizeGradOp : Nn_Row<"normalize_grad", [AllTypesMatch<["normalized", "cotangent", "result"]>]> {
  let summary = "rstd * (g - mean(g) - xhat * mean(g * xhat)) of every row";
  let arguments = (ins Nn_Rows:$normalized, Nn_Rows:$rstd, Nn_Rows:$cotangent);
  let results = (outs Nn_Rows:$result);
  let assemblyFormat = "$normalized `,` $rstd `,` $cotangent attr-dict `:` type($normalized) `,` type($rstd)";
}

def Nn_RowSumOp : Nn_Row<"row_sum", [Nn_Vjp]> {
  let summary = "sum of every row: [rows x D] -> column";
  let arguments = (ins Nn_Rows:$input);
  let results = (outs Nn_Rows:$result);
  let assemblyFormat = "$input attr-dict `:` type($input) `->` type($result)";
}
def Nn_SpreadOp : Nn_Row<"spread", [DeclareOpInterfaceMethods<Nn_ElementWise, ["reads"]>, Nn_Vjp]> {
  let summary = "repeats a column D times or a vector for every row, or fills rows with a scalar";
  let description = "The transpose of row_sum, column_sum and total. `like` gives the rows: its values are not read.";
  let arguments = (ins Nn_Rows:$input, Nn_Rows:$like);
  let results = (outs Nn_Rows:$result);
  let assemblyFormat = "$input `like` $like attr-dict `:` type($input) `,` type($like) `->` type($result)";
}
def Nn_ColumnSumOp : Nn_RowSums<"column_sum", [Nn_Vjp]> {
  let summary = "sum over rows: [rows x D] -> [D], in fixed blocks of rows, block after block";
  let arguments = (ins Nn_Rows:$input);
  let results = (outs Nn_F32Tensor:$result);
  let assemblyFormat = "$input attr-dict `:` type($input) `->` type($result)";
}
def Nn_TotalOp : Nn_RowSums<"total", [Nn_Vjp]> {
  let summary = "sum of all elements as a scalar";
  let arguments = (ins Nn_Rows:$input);
  let results = (outs Nn_F32Tensor:$result);
  let assemblyFormat = "$input attr-dict `:` type($input) `->` type($result)";
}
def Nn_RecordCountOp : Nn_Pure<"record_count", [Nn_Leaf, Nn_Immediate]> {
  let summary = "number of records of the batch as a scalar";
  let results = (outs Nn_F32Tensor:$result);
  let assemblyFormat = "attr-dict `:` type($result)";
}

def Nn_RowCountOp : Nn_Pure<"row_count", [Nn_Leaf, Nn_Immediate]> {
  let summary = "number of rows of an axis in the batch as a scalar";
  let description = "Of the records it is record_count. Example: `%n = nn.row_count !nn.rows<records x @tokens x 1xf32> : tensor<f32>`";
  let arguments = (ins TypeAttrOf<Nn_AxisF32>:$rows);
  let results = (outs Nn_F32Tensor:$result);
  let assemblyFormat = "$rows attr-dict `:` type($result)";
}

def Nn_StepWeightOp : Nn_Pure<"step_weight", [Nn_Leaf, Nn_Immediate]> {
  let summary = "the weight of a loss over all parts of the step as a scalar: by what the sum of its items is divided";
  let description = "It comes with the call. Example: `%w = nn.step_weight 0 : tensor<f32>`";
  let arguments = (ins I64Attr:$index);
  let results = (outs Nn_F32Tensor:$result);
  let assemblyFormat = "$index attr-dict `:` type($result)";
}

def Nn_ConcatOp : Nn_Row<"concat", [Nn_Vjp]> {
  let summary = "puts rows of one axis side by side";
  let arguments = (ins Variadic<Nn_Rows>:$inputs);
  let results = (outs Nn_Rows:$result);
  let assemblyFormat = "$inputs attr-dict `:` type($inputs) `->` type($result)";
  let hasVerifier = 1;
}
def Nn_SliceOp : Nn_Row<"slice", [Nn_Vjp]> {
  let summary = "columns [offset, offset + width) of every row";
  let arguments = (ins Nn_Rows:$input, I64Attr:$offset);
  let results = (outs Nn_Rows:$result);
  let assemblyFormat = "$input attr-dict `:` type($input) `->` type($result)";
  let hasVerifier = 1;
}

def Nn_PadOp : Nn_Row<"pad"> {
  let summary = "the input's columns from `offset` on, zero in the others: the transpose of slice";
  let arguments = (ins Nn_Rows:$input, I64Attr:$offset);
  let results = (outs Nn_Rows:$result);
  let assemblyFormat = "$input attr-dict `:` type($input) `->` type($result)";
  let hasVerifier = 1;
}

//===--- losses -----------------------------------------------------------------------------------------------------===//

def Nn_MeanOp : Nn_Pure<"mean"> {
  let summary = "a loss: the sum of its items over the sum of their weights";
  let description = [{
    Of `items` and `weights` all elements count, in all parts of a step or in all batches of a split: it is no mean over one batch
    that could be averaged again. A scalar is a sum already. --penstock-derive-entries lowers it, differently in each entry
    (docs/design/losses.md).

    Example: `%loss = nn.mean %l by %w : !nn.rows<records x 1xf32>, !nn.rows<records x 1xf32> -> tensor<f32>`
  }];
  let arguments = (ins Nn_Rows:$items, Nn_Rows:$weights);
  let results = (outs Nn_F32Tensor:$result);
  let assemblyFormat = "$items `by` $weights attr-dict `:` type($items) `,` type($weights) `->` type($result)";
  let hasVerifier = 1;
}

def Nn_CrossEntropyOp : Nn_Row<"cross_entropy_rows", [Nn_Vjp]> {
  let summary = "-log softmax(logits)[target] of every row, a column";
  let description = [{
    With label smoothing s over C classes the target is (1 - s) at the class and s / C everywhere; `class_weights` (empty: 1
    each) multiply as in PyTorch's CrossEntropyLoss. A negative target counts as loss 0.
  }];
  let arguments = (ins Nn_Rows:$logits, Nn_Ids:$target, DefaultValuedAttr<F64Attr, "0.0">:$label_smoothing,
                       DefaultValuedAttr<DenseF64ArrayAttr, "{}">:$class_weights);
  let results = (outs Nn_Rows:$result);
  let assemblyFormat = "$logits `,` $target attr-dict `:` type($logits) `,` type($target) `->` type($result)";
}
def Nn_CrossEntropyGradOp : Nn_Row<"cross_entropy_rows_grad"> {
  let summary = "derivative of cross_entropy_rows by the logits, times a column of cotangents";
  let arguments = (ins Nn_Rows:$logits, Nn_Ids:$target, Nn_Rows:$cotangent,
                       DefaultValuedAttr<F64Attr, "0.0">:$label_smoothing,
                       DefaultValuedAttr<DenseF64ArrayAttr, "{}">:$class_weights);
  let results = (outs Nn_Rows:$result);
  let assemblyFormat = [{$logits `,` $target `,` $cotangent attr-dict `:` type($logits) `,` type($target) `,`
                         type($cotangent) `->` type($result)}];
}
def Nn_CrfLossOp : Nn_Pure<"crf_loss", [Nn_Vjp]> {
  let summary = "-log p(targets) of a linear-chain conditional random field over each record's rows, a column";
  let description = [{
    The chain of a record are its rows with a target >= 0 (arXiv 1508.01991); a record without one has loss 0. `transitions` has
    (K + 2) * K numbers for K tags: from tag i to tag j at i * K + j, then those of tags that begin a chain, then of those that
    end one. `alpha`, the logarithms of the forward sums, is for the derivative.
  }];
  let arguments = (ins Nn_AxisF32:$logits, Nn_AxisI32:$target, Nn_F32Tensor:$transitions);
  let results = (outs Nn_BatchF32:$result, Nn_AxisF32:$alpha);
  let assemblyFormat = [{$logits `,` $target `,` $transitions attr-dict `:` type($logits) `,` type($target) `,`
                         type($transitions) `->` type($result) `,` type($alpha)}];
  let hasVerifier = 1;
}
def Nn_CrfLossGradOp : Nn_Pure<"crf_loss_grad"> {
  let summary = "derivative of crf_loss by the logits, and, a row a record, by the transitions, times a column of cotangents";
  let arguments = (ins Nn_AxisF32:$logits, Nn_AxisI32:$target, Nn_F32Tensor:$transitions, Nn_AxisF32:$alpha,
                       Nn_BatchF32:$cotangent);
  let results = (outs Nn_AxisF32:$result, Nn_BatchF32:$by_record);
  let assemblyFormat = [{$logits `,` $target `,` $transitions `,` $alpha `,` $cotangent attr-dict `:` type($logits) `,`
                         type($target) `,` type($transitions) `,` type($alpha) `,` type($cotangent) `->` type($result) `,` type($by_record)}];
}
def Nn_CrfDecodeOp : Nn_Pure<"crf_decode"> {
  let summary = "the most likely tags of each record's words (Viterbi), at each its probability, zeros elsewhere";
  let description = [{
    `logits` and `transitions` as of crf_loss; the chain of a record are the rows at which words begin, all rows where the axis is
    not cut from words. `alpha` and `back` are the kernel's own memory.
  }];
  let arguments = (ins Nn_AxisF32:$logits, Nn_F32Tensor:$transitions);
  let results = (outs Nn_AxisF32:$result, Nn_AxisF32:$alpha, Nn_AxisI32:$back);
  let assemblyFormat = [{$logits `,` $transitions attr-dict `:` type($logits) `,` type($transitions) `->` type($result) `,`
                         type($alpha) `,` type($back)}];
  let hasVerifier = 1;
}
def Nn_OneHotOp : Nn_Row<"one_hot"> {
  let summary = "1 at the place that each row's id names, zeros elsewhere; of id -1 zeros alone";
  let arguments = (ins Nn_Ids:$ids);
  let results = (outs Nn_Rows:$result);
  let assemblyFormat = "$ids attr-dict `:` type($ids) `->` type($result)";
}
def Nn_ClassWeightOp : Nn_Row<"class_weight"> {
  let summary = "the weight of every record's class, a column";
  let arguments = (ins Nn_Ids:$target, DenseF64ArrayAttr:$class_weights);
  let results = (outs Nn_Rows:$result);
  let assemblyFormat = "$target attr-dict `:` type($target) `->` type($result)";
}

//===--- contractions -----------------------------------------------------------------------------------------------===//

def Nn_MatmulOp : Nn_Pure<"matmul", [Nn_RowWise, Nn_Vjp]> {
  let summary = "rows times a matrix: [rows x K] . [K x N], or by the transpose of [N x K]";
  let arguments = (ins Nn_Rows:$input, Nn_F32Tensor:$weight, UnitAttr:$transposed);
  let results = (outs Nn_Rows:$result);
  let assemblyFormat = "$input `,` $weight (`transposed` $transposed^)? attr-dict `:` type($input) `,` type($weight) `->` type($result)";
  let hasVerifier = 1;
}
def Nn_WeightGradOp : Nn_Pure<"weight_grad"> {
  let summary = "[rows x K]^T . [rows x N] -> [K x N]";
  let arguments = (ins Nn_Rows:$input, Nn_Rows:$cotangent);
  let results = (outs Nn_F32Tensor:$result);
  let assemblyFormat = "$input `,` $cotangent attr-dict `:` type($input) `,` type($cotangent) `->` type($result)";
}

def Nn_EmbeddingOp : Nn_Gather<"embedding", [Nn_TableReader, Nn_Vjp]> {
  let summary = "table row of every id";
  let description = "`nullable`: an id may be -1, and its row is zeros.";
  let arguments = (ins Nn_Ids:$ids, Nn_F32Tensor:$table, UnitAttr:$nullable);
  let results = (outs Nn_Rows:$result);
  let assemblyFormat = "$ids `,` $table attr-dict `:` type($ids) `,` type($table) `->` type($result)";
  let hasVerifier = 1;
}
def Nn_EmbeddingGradOp : Nn_Pure<"embedding_grad", [Nn_TableGradient]> {
  let summary = "sums cotangent rows by id into a table of the result's shape; those of id -1 are in no sum";
  let arguments = (ins Nn_Ids:$ids, Nn_Rows:$cotangent);
  let results = (outs Nn_F32Tensor:$result);
  let assemblyFormat = "$ids `,` $cotangent attr-dict `:` type($ids) `,` type($cotangent) `->` type($result)";
}
def Nn_PositionRowsOp : Nn_Gather<"position_rows", [Nn_Vjp]> {
  let summary = "table row of every row's place in its record (the last row beyond the table)";
  let description = "`of`: `position`, the place in the record, or `segment`, which text of a pair the row is of.";
  let arguments = (ins Nn_F32Tensor:$table, DefaultValuedAttr<StrAttr, "\"position\"">:$of);
  let results = (outs Nn_AxisF32:$result);
  let assemblyFormat = "$table attr-dict `:` type($table) `->` type($result)";
}
def Nn_PositionRowsGradOp : Nn_Pure<"position_rows_grad"> {
  let summary = "sums cotangent rows by their place in the record, or their segment";
  let arguments = (ins Nn_AxisF32:$cotangent, DefaultValuedAttr<StrAttr, "\"position\"">:$of);
  let results = (outs Nn_F32Tensor:$result);
  let assemblyFormat = "$cotangent attr-dict `:` type($cotangent) `->` type($result)";
}

def Nn_CountsOp : Nn_Pure<"counts", [Nn_PoolsRows]> {
  let summary = "occurrences of every id in the record: [records x vocabulary]";
  let arguments = (ins Nn_AxisI32:$ids);
  let results = (outs Nn_BatchF32:$result);
  let assemblyFormat = "$ids attr-dict `:` type($ids) `->` type($result)";
}
def Nn_WeightedCountsOp : Nn_Pure<"weighted_counts", [Nn_PoolsRows]> {
  let summary = "sum of the weights of every id in the record: [records x vocabulary]";
  let description = "`weights`: a number a row of the ids. It has no derivative, so no weight is trained behind it.";
  let arguments = (ins Nn_AxisI32:$ids, Nn_AxisF32:$weights);
  let results = (outs Nn_BatchF32:$result);
  let assemblyFormat = "$ids `,` $weights attr-dict `:` type($ids) `,` type($weights) `->` type($result)";
}
def Nn_OccurrencesOp : Nn_Pure<"occurrences"> {
  let summary = "how often the id of each row stands in its record, a column";
  let arguments = (ins Nn_AxisI32:$ids);
  let results = (outs Nn_AxisF32:$result);
  let assemblyFormat = "$ids attr-dict `:` type($ids) `->` type($result)";
}
def Nn_BagSumOp : Nn_Pure<"bag_sum", [Nn_TableReader, Nn_Vjp, Nn_PoolsRows]> {
  let summary = "sum of the table rows of a record's ids: counts times the table, without the counts";
  let arguments = (ins Nn_AxisI32:$ids, Nn_F32Tensor:$table);
  let results = (outs Nn_BatchF32:$result);
  let assemblyFormat = "$ids `,` $table attr-dict `:` type($ids) `,` type($table) `->` type($result)";
}
def Nn_BagSumGradOp : Nn_Pure<"bag_sum_grad", [Nn_TableGradient]> {
  let summary = "sums the cotangent row of the record of every id into a table";
  let arguments = (ins Nn_AxisI32:$ids, Nn_BatchF32:$cotangent);
  let results = (outs Nn_F32Tensor:$result);
  let assemblyFormat = "$ids `,` $cotangent attr-dict `:` type($ids) `,` type($cotangent) `->` type($result)";
}

def Nn_Conv1dOp : Nn_Pure<"conv1d", [Nn_Vjp]> {
  let summary = "convolution along a ragged axis, same length, zeros outside the record";
  let description = "weight: width x D x maps; row t reads rows t - left .. t - left + width - 1, left = (width - 1) / 2.";
  let arguments = (ins Nn_AxisF32:$input, Nn_F32Tensor:$weight);
  let results = (outs Nn_AxisF32:$result);
  let assemblyFormat = "$input `,` $weight attr-dict `:` type($input) `,` type($weight) `->` type($result)";
  let hasVerifier = 1;
}
def Nn_Conv1dInputGradOp : Nn_Pure<"conv1d_input_grad"> {
  let summary = "derivative of conv1d by its input";
  let arguments = (ins Nn_AxisF32:$cotangent, Nn_F32Tensor:$weight);
  let results = (outs Nn_AxisF32:$result);
  let assemblyFormat = "$cotangent `,` $weight attr-dict `:` type($cotangent) `,` type($weight) `->` type($result)";
}
def Nn_Conv1dWeightGradOp : Nn_Pure<"conv1d_weight_grad"> {
  let summary = "derivative of conv1d by its weight";
  let arguments = (ins Nn_AxisF32:$input, Nn_AxisF32:$cotangent);
  let results = (outs Nn_F32Tensor:$result);
  let assemblyFormat = "$input `,` $cotangent attr-dict `:` type($input) `,` type($cotangent) `->` type($result)";
}
def Nn_Conv1dMaxOp : Nn_Pure<"conv1d_max", [Nn_Vjp, Nn_PoolsRows]> {
  let summary = "conv1d and the maximum over the record's rows in one, without the rows in memory";
  let description = "`argmax`: row within the record, the first of equals. The derivative is sparse: one row a channel.";
  let arguments = (ins Nn_AxisF32:$input, Nn_F32Tensor:$weight);
  let results = (outs Nn_BatchF32:$result, Nn_BatchI32:$argmax);
  let assemblyFormat = "$input `,` $weight attr-dict `:` type($input) `,` type($weight) `->` type($result) `,` type($argmax)";
}
def Nn_Conv1dMaxInputGradOp : Nn_Pure<"conv1d_max_input_grad", [Nn_SpreadsRows]> {
  let summary = "derivative of conv1d_max by its input";
  let arguments = (ins Nn_BatchF32:$cotangent, Nn_BatchI32:$argmax, Nn_F32Tensor:$weight);
  let results = (outs Nn_AxisF32:$result);
  let assemblyFormat = [{$cotangent `,` $argmax `,` $weight attr-dict `:` type($cotangent) `,` type($argmax) `,`
                         type($weight) `->` type($result)}];
}
def Nn_Conv1dMaxWeightGradOp : Nn_Pure<"conv1d_max_weight_grad"> {
  let summary = "derivative of conv1d_max by its weight";
  let arguments = (ins Nn_AxisF32:$input, Nn_BatchF32:$cotangent, Nn_BatchI32:$argmax);
  let results = (outs Nn_F32Tensor:$result);
  let assemblyFormat = [{$input `,` $cotangent `,` $argmax attr-dict `:` type($input) `,` type($cotangent) `,`
                         type($argmax) `->` type($result)}];
}

//===--- between rows and records -----------------------------------------------------------------------------------===//

def Nn_SegmentSumOp : Nn_Pure<"segment_sum", [Nn_Vjp, Nn_PoolsRows]> {
  let summary = "sum of a record's rows";
  let arguments = (ins Nn_AxisF32:$input);
  let results = (outs Nn_BatchF32:$result);
  let assemblyFormat = "$input attr-dict `:` type($input) `->` type($result)";
}
def Nn_BroadcastRecordsOp : Nn_Pure<"broadcast_records", [Nn_RowOp, Nn_Vjp, Nn_SpreadsRows]> {
  let summary = "the record's row for every row of the axis";
  let arguments = (ins Nn_BatchF32:$input);
  let results = (outs Nn_AxisF32:$result);
  let assemblyFormat = "$input attr-dict `:` type($input) `->` type($result)";
}
def Nn_SegmentLengthOp : Nn_Pure<"segment_length", [Nn_RowOp]> {
  let summary = "number of rows of every record on an axis, a column";
  let arguments = (ins FlatSymbolRefAttr:$axis);
  let results = (outs Nn_BatchF32:$result);
  let assemblyFormat = "$axis attr-dict `:` type($result)";
}
def Nn_SegmentMaxOp : Nn_Pure<"segment_max", [Nn_Vjp, Nn_PoolsRows]> {
  let summary = "maximum over a record's rows, with the row where it stands (the first of equals)";
  let arguments = (ins Nn_AxisF32:$input);
  let results = (outs Nn_BatchF32:$result, Nn_BatchI32:$argmax);
  let assemblyFormat = "$input attr-dict `:` type($input) `->` type($result) `,` type($argmax)";
}
def Nn_SegmentMaxGradOp : Nn_Pure<"segment_max_grad", [Nn_SpreadsRows]> {
  let summary = "the cotangent at the row of the maximum, zero elsewhere";
  let arguments = (ins Nn_BatchF32:$cotangent, Nn_BatchI32:$argmax);
  let results = (outs Nn_AxisF32:$result);
  let assemblyFormat = "$cotangent `,` $argmax attr-dict `:` type($cotangent) `,` type($argmax) `->` type($result)";
}
def Nn_SegmentSoftmaxOp : Nn_Pure<"segment_softmax", [Nn_Vjp, AllTypesMatch<["input", "result"]>]> {
  let summary = "exp(x) / sum(exp(x)) of each column over a record's rows";
  let arguments = (ins Nn_AxisF32:$input);
  let results = (outs Nn_AxisF32:$result);
  let assemblyFormat = "$input attr-dict `:` type($input)";
}
def Nn_SegmentSoftmaxGradOp : Nn_Pure<"segment_softmax_grad", [AllTypesMatch<["output", "cotangent", "result"]>]> {
  let summary = "derivative of segment_softmax: output * (cotangent - sum(output * cotangent) over the record's rows)";
  let arguments = (ins Nn_AxisF32:$output, Nn_AxisF32:$cotangent);
  let results = (outs Nn_AxisF32:$result);
  let assemblyFormat = "$output `,` $cotangent attr-dict `:` type($output)";
}
def Nn_RunningSumOp : Nn_Pure<"running_sum", [Nn_Vjp, AllTypesMatch<["input", "result"]>]> {
  let summary = "each row plus those before it in the record; backward 1: plus those behind it";
  let arguments = (ins Nn_AxisF32:$input, I64Attr:$backward);
  let results = (outs Nn_AxisF32:$result);
  let assemblyFormat = "$input attr-dict `:` type($input)";
}
def Nn_SegmentFirstOp : Nn_Gather<"segment_first", [Nn_Vjp, Nn_PoolsRows]> {
  let summary = "the first row of every record";
  let arguments = (ins Nn_AxisF32:$input);
  let results = (outs Nn_BatchF32:$result);
  let assemblyFormat = "$input attr-dict `:` type($input) `->` type($result)";
}
def Nn_SegmentFirstGradOp : Nn_Pure<"segment_first_grad", [Nn_RowOp, Nn_SpreadsRows]> {
  let summary = "the cotangent at the first row of the record, zero elsewhere";
  let arguments = (ins Nn_BatchF32:$cotangent);
  let results = (outs Nn_AxisF32:$result);
  let assemblyFormat = "$cotangent attr-dict `:` type($cotangent) `->` type($result)";
}

def Nn_AttentionOp : Nn_Pure<"attention", [Nn_Vjp]> {
  let summary = "multi-head self-attention over every record's rows";
  let description = [{
    `qkv` is q | k | v side by side, each heads x width; scores are scaled by 1 / sqrt(width); dropout acts on the
    probabilities (arXiv 1706.03762). `lse` is the log of the softmax's denominator, which the derivative reads; no [T, T] tensor exists.
  }];
  let arguments = (ins Nn_AxisF32:$qkv, I64Attr:$heads, DefaultValuedAttr<F64Attr, "0.0">:$dropout,
                       DefaultValuedAttr<I64Attr, "0">:$key);
  let results = (outs Nn_AxisF32:$result, Nn_AxisF32:$lse);
  let assemblyFormat = "$qkv attr-dict `:` type($qkv) `->` type($result) `,` type($lse)";
  let hasVerifier = 1;
}
def Nn_AttentionGradOp : Nn_Pure<"attention_grad", [AllTypesMatch<["out", "cotangent"]>, AllTypesMatch<["qkv", "result"]>]> {
  let summary = "derivative of attention by qkv";
  let arguments = (ins Nn_AxisF32:$qkv, Nn_AxisF32:$out, Nn_AxisF32:$lse, Nn_AxisF32:$cotangent,
                       I64Attr:$heads, DefaultValuedAttr<F64Attr, "0.0">:$dropout, DefaultValuedAttr<I64Attr, "0">:$key);
  let results = (outs Nn_AxisF32:$result);
  let assemblyFormat = [{$qkv `,` $out `,` $lse `,` $cotangent attr-dict `:` type($qkv) `,` type($out) `,` type($lse)}];
}
def Nn_AttentionFirstOp : Nn_Pure<"attention_first", [Nn_Vjp]> {
  let summary = "multi-head attention of every record's first row over all of the record's rows";
  let description = [{
    What attention gives for the first rows, bit for bit: `query` has their q, `keys_values` k | v of all rows, which lie on the axis. A
    record without rows gives zeros.
  }];
  let arguments = (ins Nn_BatchF32:$query, Nn_AxisF32:$keys_values, I64Attr:$heads,
                       DefaultValuedAttr<F64Attr, "0.0">:$dropout, DefaultValuedAttr<I64Attr, "0">:$key);
  let results = (outs Nn_BatchF32:$result, Nn_BatchF32:$lse);
  let assemblyFormat = [{$query `,` $keys_values attr-dict `:` type($query) `,` type($keys_values) `->` type($result) `,`
                         type($lse)}];
  let hasVerifier = 1;
}
def Nn_AttentionFirstGradOp : Nn_Pure<"attention_first_grad", [AllTypesMatch<["query", "out", "cotangent", "by_query"]>,
                                                               AllTypesMatch<["keys_values", "by_keys_values"]>]> {
  let summary = "derivative of attention_first by query and by keys_values";
  let arguments = (ins Nn_BatchF32:$query, Nn_AxisF32:$keys_values, Nn_BatchF32:$out, Nn_BatchF32:$lse,
                       Nn_BatchF32:$cotangent, I64Attr:$heads, DefaultValuedAttr<F64Attr, "0.0">:$dropout,
                       DefaultValuedAttr<I64Attr, "0">:$key);
  let results = (outs Nn_BatchF32:$by_query, Nn_AxisF32:$by_keys_values);
  let assemblyFormat = [{$query `,` $keys_values `,` $out `,` $lse `,` $cotangent attr-dict `:` type($query) `,` type($keys_values) `,`
                         type($lse)}];
}

#endif
