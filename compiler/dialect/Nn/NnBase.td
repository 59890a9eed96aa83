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
    Values have one of three forms. A *ragged* value `!nn.ragged<@tokens, 128xf32>` is one row of 128 numbers for every row
    of the axis `@tokens`; the axis owns the offsets of the records, so lengths need no proof and there is no padding. A
    *record* value `tensor<?x128xf32>` has one row a record. A tensor of static shape is a parameter, its gradient or a
    scalar. Long-lived tensors are module symbols (`nn.global`); a function reads them with `nn.parameter` and hands their
    gradients to the optimizer with `nn.gradient`.
  }];
  let useDefaultTypePrinterParser = 1;
}

def Nn_Ragged : TypeDef<Nn_Dialect, "Ragged"> {
  let mnemonic = "ragged";
  let summary = "rows of a ragged axis";
  let description = [{
    `!nn.ragged<@tokens, 128xf32>`: for every row of the axis, a tensor of the static shape. `!nn.ragged<@tokens, i32>` has
    one number a row.
  }];
  let parameters = (ins "::mlir::StringAttr":$axis, ArrayRefParameter<"int64_t">:$shape, "::mlir::Type":$elementType);
  let hasCustomAssemblyFormat = 1;
  let extraClassDeclaration = [{
    /// Elements of one row.
    int64_t getWidth() const {
      int64_t n = 1;
      for (int64_t d : getShape()) {
        n *= d;
      }
      return n;
    }
  }];
}

def Nn_F32Tensor : Type<CPred<"::llvm::isa<::mlir::RankedTensorType>($_self) && "
                             "::llvm::cast<::mlir::RankedTensorType>($_self).getElementType().isF32()">,
                        "tensor of f32">;
def Nn_I32Tensor : Type<CPred<"::llvm::isa<::mlir::RankedTensorType>($_self) && "
                             "::llvm::cast<::mlir::RankedTensorType>($_self).getElementType().isInteger(32)">,
                        "tensor of i32">;
def Nn_RaggedF32 : Type<CPred<"::llvm::isa<::penstock::nn::RaggedType>($_self) && "
                             "::llvm::cast<::penstock::nn::RaggedType>($_self).getElementType().isF32()">,
                        "ragged rows of f32">;
def Nn_RaggedI32 : Type<CPred<"::llvm::isa<::penstock::nn::RaggedType>($_self) && "
                             "::llvm::cast<::penstock::nn::RaggedType>($_self).getElementType().isInteger(32)">,
                        "ragged rows of i32">;
def Nn_Rows : AnyTypeOf<[Nn_F32Tensor, Nn_RaggedF32], "rows of f32, of an axis, of the records or static">;
def Nn_Ids : AnyTypeOf<[Nn_I32Tensor, Nn_RaggedI32], "rows of i32">;
def Nn_Value : AnyTypeOf<[Nn_Rows, Nn_Ids]>;

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
