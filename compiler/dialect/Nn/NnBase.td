// The Nn dialect: a differentiable tensor program, values only.
#ifndef PENSTOCK_DIALECT_NN_BASE
#define PENSTOCK_DIALECT_NN_BASE

include "mlir/IR/OpBase.td"
include "mlir/IR/AttrTypeBase.td"

def Nn_Dialect : Dialect {
  let name = "nn";
  let cppNamespace = "::penstock::nn";
  let summary = "a differentiable tensor program over ragged values";
  let description = [{
    A value is rows, a width and an element type (docs/design/value_descriptor.md). What varies with the batch is
    `!nn.rows<records x @tokens x 128xf32>`: for every row of the axis `@tokens`, which lies in the records, 128 numbers.
    `!nn.rows<records x 128xf32>` has one row a record. A builtin tensor of static shape has one row where its rank is below 2 (a
    scalar, a bias), else as many as its first extent: a parameter, its gradient, a constant. Long-lived tensors are module symbols
    (`nn.global`); a function reads them with `nn.read`, hands gradients to the optimizer with `nn.gradient` and writes states
    with `nn.update`.
  }];
  let useDefaultTypePrinterParser = 1;
}

def Nn_RowsType : TypeDef<Nn_Dialect, "Rows"> {
  let mnemonic = "rows";
  let summary = "rows of the batch: the records, or the rows of an axis";
  let description = [{
    `!nn.rows<records x 8xf32>`, `!nn.rows<records x @words x @characters x 1xi32>`, `!nn.rows<records x [28, 28] x 32xf32>`: the
    path from the records to the rows, the elements of a row, their type. A step of the path is an axis in what stands before it:
    ragged with a name (as many rows as the batch says) or static with extents. So the parent of an axis is the path without its
    last step, two ragged axes are the same only by name and parent, and two static ones of one parent by their extents.
  }];
  let parameters = (ins "::mlir::ArrayAttr":$axes, "int64_t":$width, "::mlir::Type":$elementType);
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
}

class Nn_Static<string element, string what>
    : Type<CPred<"::llvm::isa<::mlir::RankedTensorType>($_self) && ::llvm::cast<::mlir::RankedTensorType>($_self).hasStaticShape() && "
                 "::llvm::cast<::mlir::RankedTensorType>($_self).getElementType()." # element>, "tensor of static shape of " # what>;
class Nn_Batch<string element, string what, string condition = "true">
    : Type<CPred<"::llvm::isa<::penstock::nn::RowsType>($_self) && "
                 "::llvm::cast<::penstock::nn::RowsType>($_self).getElementType()." # element # " && " # condition>, what>;
defvar Nn_hasAxis = "!::llvm::cast<::penstock::nn::RowsType>($_self).getAxes().empty()";

def Nn_F32Tensor : Nn_Static<"isF32()", "f32">;
def Nn_BatchF32 : Nn_Batch<"isF32()", "rows of the batch, of f32">;
def Nn_BatchI32 : Nn_Batch<"isSignlessInteger(32)", "rows of the batch, of i32">;
def Nn_BatchU8 : Nn_Batch<"isUnsignedInteger(8)", "rows of the batch, of ui8">;
def Nn_AxisF32 : Nn_Batch<"isF32()", "rows of an axis, of f32", Nn_hasAxis>;
def Nn_AxisI32 : Nn_Batch<"isSignlessInteger(32)", "rows of an axis, of i32", Nn_hasAxis>;
def Nn_Rows : AnyTypeOf<[Nn_F32Tensor, Nn_BatchF32], "rows of f32, of the batch or static">;
def Nn_Ids : AnyTypeOf<[Nn_BatchI32], "rows of i32">;
def Nn_Value : AnyTypeOf<[Nn_F32Tensor, Nn_BatchF32, Nn_BatchI32, Nn_BatchU8]>;

/// The results have a row for each row of the parent of the first operand's axis.
def Nn_PoolsRows : NativeOpTrait<"PoolsRows"> {
  let cppNamespace = "::penstock::nn";
}
/// The first result lies on an axis, the operands that lie in the batch on its parent.
def Nn_SpreadsRows : NativeOpTrait<"SpreadsRows"> {
  let cppNamespace = "::penstock::nn";
}

//===--- what an op answers: docs/design/operations.md ----------------------------------------------------------------------===//

class Nn_Trait<string name> : NativeOpTrait<name> {
  let cppNamespace = "::penstock::nn";
}
// Row r of every result is computed from row r of the operands that lie on rows, and from all others as they are.
def Nn_RowWise : Nn_Trait<"RowWise">;
// The numbers of a column keep their order (not strictly), to the last bit of what is computed.
def Nn_KeepsOrder : Nn_Trait<"KeepsOrder">;
// Read where it is used: no code makes it.
def Nn_Leaf : Nn_Trait<"Leaf">;
// A leaf that is written into the code of its readers and has no place in memory.
def Nn_Immediate : Nn_Trait<"Immediate">;
// Runs after everything else in its entry: it reads all gradients, and parameters are no longer what the step reads.
def Nn_EndsEntry : Nn_Trait<"EndsEntry">;
// Work of the optimizer.
def Nn_Optimizes : Nn_Trait<"Optimizes">;

def Nn_RowOp : OpInterface<"RowOp"> {
  let cppNamespace = "::penstock::nn";
  let description = "An op that is computed row by row inside of a region (kernel.rows). Its first result says on what rows.";
  let methods = [
    InterfaceMethod<"Whether the result is a sum over rows: complete only after the region", "bool", "sumsOverRows", (ins), "",
                    "return false;">,
    InterfaceMethod<"Whether of the operand one row is read for each row that is made, rather than all of it", "bool", "readsOneRow",
                    (ins "unsigned":$operand), "", "return false;">,
    InterfaceMethod<"The rows that the op runs over", "::penstock::nn::RowsOf", "getIterationRows", (ins), "", [{
      return ::penstock::nn::rowsOf($_op.sumsOverRows() ? $_op->getOperand(0).getType() : $_op->getResult(0).getType());
    }]>,
    InterfaceMethod<[{The cost of a row: operations, one for each element read, whatever its function costs}], "int64_t", "getOperationsPerRow",
                    (ins), "", "return ::penstock::nn::widestOnRows($_op, $_op.getIterationRows());">];
}

def Nn_ElementWise : OpInterface<"ElementWise"> {
  let cppNamespace = "::penstock::nn";
  let description = "Each element of the result is made of the same element of the operands (or of the one that is spread there).";
  let methods = [
    InterfaceMethod<"Emits the arithmetic of one element from one element of each operand that is read", "::mlir::Value",
                    "buildElement", (ins "::mlir::OpBuilder &":$builder, "::mlir::ValueRange":$elements)>,
    InterfaceMethod<"Whether the elements of the operand are read, rather than its rows and width", "bool", "reads",
                    (ins "unsigned":$operand), "", "return true;">];
}

def Nn_Differentiable : OpInterface<"Differentiable"> {
  let cppNamespace = "::penstock::nn";
  let description = [{
    An op with a vector-Jacobian product. `buildVjp` gets the cotangents of the results (null where none reaches a result) and
    fills those of the operands (null where an operand has none: ids, targets). It builds ops of this dialect only. An op
    without this interface between a parameter and the objective is a diagnostic, never a silent zero.
  }];
  let methods = [InterfaceMethod<"Builds the cotangents of the operands", "::llvm::LogicalResult", "buildVjp",
    (ins "::mlir::OpBuilder &":$builder, "::mlir::ValueRange":$resultCotangents,
         "::llvm::SmallVectorImpl<::mlir::Value> &":$operandCotangents)>];
}

def Nn_TableReader : OpInterface<"TableReader"> {
  let cppNamespace = "::penstock::nn";
  let description = "Reads those rows of a table that ids name.";
  let methods = [InterfaceMethod<"Ids of rows", "::mlir::Value", "getIds">, InterfaceMethod<"The table", "::mlir::Value", "getTable">];
}
def Nn_TableGradient : OpInterface<"TableGradient"> {
  let cppNamespace = "::penstock::nn";
  let description = "The derivative of a table reader by its table: sums of cotangents by id.";
  let methods = [InterfaceMethod<"Ids of rows", "::mlir::Value", "getIds">,
                 InterfaceMethod<"A row for each id, or a record", "::mlir::Value", "getCotangent">];
}

def Nn_GlobalWriter : OpInterface<"GlobalWriter"> {
  let cppNamespace = "::penstock::nn";
  let description = "Hands over the next value of a global, or its gradient. An entry has one for each global at most.";
  let methods = [InterfaceMethod<"The global", "::llvm::StringRef", "getName">];
  let verify = "return ::penstock::nn::verifyOneWriter($_op);";
}

#endif
