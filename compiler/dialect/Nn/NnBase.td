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
    (`nn.global`); a function reads them with `nn.parameter` and hands their gradients to the optimizer with `nn.gradient`.
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
  let parameters = (ins ArrayRefParameter<"::mlir::Attribute">:$axes, "int64_t":$width, "::mlir::Type":$elementType);
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

#endif
