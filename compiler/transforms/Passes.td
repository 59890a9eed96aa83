// The passes of this folder, in the order in which they run: those over Nn and Kernel in compiler/pipeline/pipeline.h, the last two before
// LLVM (compiler/emit/emit.h).
#ifndef PENSTOCK_TRANSFORMS_PASSES
#define PENSTOCK_TRANSFORMS_PASSES

include "mlir/Pass/PassBase.td"

def FuseSegmentsPass : Pass<"penstock-fuse-segments", "mlir::ModuleOp"> {
  let summary = "keep counts, convolutions and activations before a maximum small";
  let description = [{
    Rewrites that keep big values out of memory; they run before differentiation, so that the derivatives are small too.

      matmul(counts(ids), w)            -> bag_sum(ids, w): no [records x vocabulary] matrix
      segment_max(f(x)), f keeps order  -> f(segment_max(x)): relu, tanh, sigmoid, exp, and adding a vector or a scalar
      segment_max(conv1d(x, w))         -> conv1d_max(x, w): no [rows x maps] matrix

    All are exact: rounding is monotone, so the maximum commutes with each f. An op moves only where nothing else reads it.
  }];
  let dependentDialects = ["penstock::nn::NnDialect"];
  let statistics = [Statistic<"bagSums", "bag-sums", "products of counts that became sums of rows">,
                    Statistic<"maxima", "maxima", "maxima moved before what keeps order">];
}

def DeriveEntriesPass : Pass<"penstock-derive-entries", "mlir::ModuleOp"> {
  let summary = "make train_step, evaluate and predict from the model";
  let description = [{
    `func.func @model()` reads inputs and globals and writes `nn.output "loss"` (index 0, where there is one) and one
    `nn.output` an answer. The pass replaces it by

      @train_step  of one objective: the loss, marked `nn.differentiate`, the updates of the states that it moves and that belong to what it
                   reads, and one `nn.apply`.
                   With the module's `nn.accumulate` there are in its place @weights, an output a loss: the weight of a part; @gradient,
                   which divides by the weights of the step (`nn.step_weight`) and ends with an `nn.accumulate`; and @apply
      @evaluate    two outputs a loss, its items and their weights, which the module's `nn.losses` (the factor of each, by objective)
                   counts, and the answers; without dropout and updates of states
      @predict     the answers alone: inputs that only the loss reads are gone

    With the module's `nn.predicts`, a program of an artifact, @predict alone is made.

    The module's `nn.objectives` is a list of the attributes of each objective's `nn.apply` and, where there are several, its `name`: the
    loss is then the output "NAME.loss", and its entries are @train_step.NAME and so on, with its index as `nn.objective`. Without the list
    the loss is only measured. In each entry, outputs are numbered from 0 in the order of the
    model, and of an `nn.in_training` one of its values is left.
  }];
  let dependentDialects = ["penstock::nn::NnDialect"];
}

def RestrictRowsPass : Pass<"penstock-restrict-rows", "mlir::func::FuncOp"> {
  let summary = "compute for the records what is read of first rows only";
  let description = [{
    Computes only the rows that are read: a demand analysis over Nn.

      segment_first(f(x, y))        -> f(segment_first(x), segment_first(y)), f row by row
      segment_first(attention(qkv)) -> attention_first(segment_first(q), kv), where qkv is made column by column

    The demand of a value on a ragged axis is nothing, the first row of every record, or all rows; it is the largest that an
    operation asks of it. An operation that is `RowWise` asks of its operands what is asked of itself; everything else asks for all
    rows. Where no more than first rows are asked of such an operation it is computed for the records instead of the axis, whatever
    stands between it and the pooling and however often its value is read. With `pool(first)` the last layer of an encoder thus ends, after
    its attention, in one row a record; runs before differentiation, so its derivative does too, and of its attention only the queries of
    those rows are computed. Exact: a row's result depends on that row alone, and dropout of a record's row is that of its row 0.
  }];
  let dependentDialects = ["penstock::nn::NnDialect"];
  let statistics = [Statistic<"moved", "moved", "operations computed for the records instead of an axis">];
}

def AutodiffPass : Pass<"penstock-autodiff", "mlir::ModuleOp"> {
  let summary = "build the gradients of functions marked nn.differentiate";
  let description = [{
    A function that carries `nn.differentiate` is a straight line whose `nn.output` of index 0 is the objective, a scalar. The
    pass walks it backward through the `Differentiable` interface and puts one `nn.gradient` for every parameter that the function's objective moves, in the
    module's order, before what ends the entry; then it removes the attribute.
    Cotangents that meet in one value are added in the order of the walk, so the sums do not depend on anything but the
    program. An op without a derivative between a parameter and the objective is an error at the op's place. A parameter that
    the objective does not reach gets a constant zero and a warning.
  }];
  let dependentDialects = ["penstock::nn::NnDialect"];
}

def DeferRowsPass : Pass<"penstock-defer-rows", "mlir::ModuleOp"> {
  let summary = "update only those rows of embedding tables that a step reads";
  let description = [{
    A large table that one `TableReader` alone reads in the steps of all objectives gets `update = "deferred"`: its rows are
    refreshed before they are read, its gradient is one row for each id that occurs, and @settle brings all rows up to date.
    What a step does to a row without a gradient is made up for later, operation by operation, so nothing depends on when.

    Where the module has the attribute `nn.eager`, such tables get `update = "rows"`: every step updates every row. Tests
    compare the two bit for bit.
  }];
  let dependentDialects = ["penstock::nn::NnDialect", "mlir::func::FuncDialect"];
  let options = [Option<"leastElements", "least-elements", "int64_t", "1 << 16",
                        "numbers of a table below which all of it is updated faster than its rows are found">];
  let statistics = [Statistic<"tables", "tables", "tables that are updated by rows">];
}

def FormRegionsPass : Pass<"penstock-form-regions", "mlir::func::FuncOp"> {
  let summary = "group row-wise work into kernel.rows";
  let description = [{
    Schedules every function (a straight line of ops) so that all work over the rows of one axis that can run without waiting
    for other rows stands in one kernel.rows region: element-wise ops, row reductions, matmuls by packed weights, gathers. A
    region ends where an op needs rows of other blocks (attention, weight gradients, sums over rows), and within bounds where the
    program begins to repeat it. A concatenation of many parts becomes one of concatenations.
  }];
  let dependentDialects = ["penstock::kernel::KernelDialect"];
  let statistics = [Statistic<"regions", "regions", "regions made">];
}

def MathPolynomialsPass : Pass<"penstock-math-polynomials"> {
  let summary = "write exp, log, tanh and erf of f32 as arithmetic";
  let description = [{
    Elementary functions as straight-line arithmetic that LLVM vectorizes; no call, no branch, no table. On f32 and vectors of f32, against
    the exact value, for every float of the domain (tests/unit/emit/polynomials_test.cpp):

      math.exp   at most 1 ULP; above 88.72 inf; results below 2^-126 are denormals, within half of the least of them + 1 ULP
      math.log   at most 1 ULP, denormals included; 0 gives -inf, a negative number NaN
      math.tanh  at most 6 ULP and 3.6e-7 absolute; never beyond 1; odd
      math.erf   at most 7 ULP and 4.2e-7 absolute; never beyond 1; odd

    NaN gives NaN; infinities give the limit. Coefficients: own minimax fits (Lawson-weighted least squares), rounded to f32.
  }];
  let dependentDialects = ["mlir::arith::ArithDialect", "mlir::math::MathDialect"];
}

def FastMathPass : Pass<"penstock-fast-math"> {
  let summary = "fuse products into sums and let reductions be reordered";
  let description = [{
    On functions of scalar loops (docs/design/emission.md). Two rules, so that an element's bits never depend on whether LLVM
    computes it in the vector body or in the tail of a loop:
    - `a * b + c` and `a * b - c` whose product has no other use become one `math.fma`, here and not in LLVM;
    - only the additions, products, minima and maxima that carry a reduction (a loop's iteration argument, or a load and
      store of one place) get flags: reassoc, nsz, contract; a product that only such an addition uses gets contract.
    Nothing gets nnan or ninf: a NaN or an infinity that arises must be seen.
  }];
  let options = [Option<"reorders", "reorders", "bool", /*default=*/"true", "sums that a loop carries may be taken in any order; else they are as written, fused like others">];
  let dependentDialects = ["mlir::arith::ArithDialect", "mlir::math::MathDialect"];
}

#endif
