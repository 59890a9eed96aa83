// The Pipe dialect: what the user wrote, typed and expanded, with places.
#ifndef PENSTOCK_DIALECT_PIPE_OPS
#define PENSTOCK_DIALECT_PIPE_OPS

include "mlir/IR/OpBase.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Pipe_Dialect : Dialect {
  let name = "pipe";
  let cppNamespace = "::penstock::pipe";
  let summary = "a pipeline as its author wrote it";
  let description = [{
    One op a declaration, each with its place in the `.pipe` file. Defaults are filled in, layers and heads of the language are
    expanded, every call has its path. Of what lies below the model it has what decides code: the columns and features that the model
    reads, the optimizer. All else is the pipeline's value (docs/design/pipeline_value.md).
  }];
  let useDefaultTypePrinterParser = 1;
}

class Pipe_Type<string type, string mnemonicOf, string what> : TypeDef<Pipe_Dialect, type> {
  let mnemonic = mnemonicOf;
  let summary = what;
}
def Pipe_Text : Pipe_Type<"Text", "text", "a cell of bytes: text or an identifier">;
def Pipe_Ids : Pipe_Type<"Ids", "ids", "ids of one feature: rows of an axis, each below the size of the vocabulary"> {
  let parameters = (ins "::mlir::StringAttr":$axis, "int64_t":$vocabulary);
  let assemblyFormat = "`<` $axis `,` $vocabulary `>`";
}
def Pipe_Sequence : Pipe_Type<"Sequence", "sequence", "float32 rows of an axis: its name, or the extents of a static one"> {
  let parameters = (ins "::mlir::Attribute":$axis, "int64_t":$width);
  let assemblyFormat = "`<` $axis `,` $width `>`";
}
def Pipe_Vector : Pipe_Type<"Vector", "vector", "one float32 row a record"> {
  let parameters = (ins "int64_t":$width);
  let assemblyFormat = "`<` $width `>`";
}
def Pipe_Class : Pipe_Type<"Class", "class", "one class a record; 0 classes: not known, and not used by the model"> {
  let parameters = (ins "int64_t":$classes);
  let assemblyFormat = "`<` $classes `>`";
}
def Pipe_Tags : Pipe_Type<"Tags", "tags", "tags of the words that an axis is cut from; 0 tags: not known, and not used by the model"> {
  let parameters = (ins "::mlir::StringAttr":$axis, "int64_t":$classes);
  let assemblyFormat = "`<` $axis `,` $classes `>`";
}
def Pipe_Number : Pipe_Type<"Number", "number", "one float32 a record">;
def Pipe_Scalar : Pipe_Type<"Scalar", "scalar", "one float32 for the batch">;
def Pipe_HeadType : Pipe_Type<"Head", "head", "what a head gives: an answer and a loss">;

class Pipe_Op<string mnemonic, list<Trait> traits = []> : Op<Pipe_Dialect, mnemonic, traits>;
def Pipe_InPipeline : ParentOneOf<["PipelineOp"]>;

def Pipe_PipelineOp : Pipe_Op<"pipeline", [Symbol, SingleBlock, NoTerminator, IsolatedFromAbove]> {
  let summary = "one pipeline";
  let description = [{
    `in_parts`: a step is the gradients of several parts and one update. Example: `pipe.pipeline @maintenance edition(1) { ... }`
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, I64Attr:$edition, DefaultValuedAttr<StrAttr, "\"\"">:$title, UnitAttr:$in_parts);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "$sym_name `edition` `(` $edition `)` attr-dict-with-keyword $body";
  let hasRegionVerifier = 1;
}

//===--- records ----------------------------------------------------------------------------------------------------===//

def Pipe_ColumnOp : Pipe_Op<"column", [Pipe_InPipeline, Pure]> {
  let summary = "one column of the records with its type";
  let description = [{
    `input` is the column's place in the batch layout where the model reads it; `target`: only the loss does. A set of labels is a
    vector with a 1 for each of them; noise is a column that no file has. `weighs`: its numbers say what each record counts in losses.
    Example: `%label = pipe.column "label" {input = 1 : i64, target = true} : !pipe.class<2>`
  }];
  let arguments = (ins StrAttr:$name, OptionalAttr<I64Attr>:$input, DefaultValuedAttr<BoolAttr, "false">:$target, UnitAttr:$weighs);
  let results = (outs AnyTypeOf<[Pipe_Text, Pipe_Class, Pipe_Tags, Pipe_Number, Pipe_Vector]>:$result);
  let assemblyFormat = "$name attr-dict `:` type($result)";
}

def Pipe_FeatureOp : Pipe_Op<"feature", [Pipe_InPipeline, Pure]> {
  let summary = "what operators make of columns: ids, numbers, of a record or of each of its rows, or an index";
  let description = [{
    `target`: only the loss reads it. What it is made of is in the pipeline's value.
    Example: `%tokens = pipe.feature "tokens" {input = 0 : i64} : !pipe.ids<"tokens", 31>`
  }];
  let arguments = (ins StrAttr:$name, OptionalAttr<I64Attr>:$input, DefaultValuedAttr<BoolAttr, "false">:$target);
  let results = (outs AnyTypeOf<[Pipe_Ids, Pipe_Vector, Pipe_Sequence, Pipe_Number, Pipe_Class]>:$result);
  let assemblyFormat = "$name attr-dict `:` type($result)";
}

//===--- model ------------------------------------------------------------------------------------------------------===//

def Pipe_Value : AnyTypeOf<[Pipe_Ids, Pipe_Sequence, Pipe_Vector, Pipe_Class, Pipe_Tags, Pipe_Number, Pipe_Scalar, Pipe_HeadType],
                           "a value of the model">;

def Pipe_CallOp : Pipe_Op<"call", [Pipe_InPipeline, Pure]> {
  let summary = "a built-in operation of the model";
  let description = [{
    `name`, operands, attributes and weights are those of docs/design/builtins.md. `at` is the instance path: calls of one path
    share their weights. A weight is a dictionary of name, shape, initializer, scale and decays, of state where a step computes its
    next value, and of learning where it does not learn like all others: a dictionary of rate (its learning rate is that of the step times
    this), frozen and objective (which of the pipeline's moves it).

    Example: `%y = pipe.call "linear"(%x) at "answer.linear_0" with {bias = true, width = 2 : i64}
      weights [{name = "weight", shape = array<i64: 3, 2>, ...} ] : (!pipe.vector<3>) -> !pipe.vector<2>`
  }];
  let arguments = (ins StrAttr:$name, Variadic<Pipe_Value>:$inputs, StrAttr:$path, OptionalAttr<DictionaryAttr>:$arguments,
                       OptionalAttr<ArrayAttr>:$weights);
  let results = (outs Pipe_Value:$result);
  let assemblyFormat = [{$name `(` $inputs `)` `at` $path (`with` $arguments^)? (`weights` $weights^)? attr-dict `:`
                         functional-type($inputs, $result)}];
  let hasVerifier = 1;
}

def Pipe_HeadOp : Pipe_Op<"head", [Pipe_InPipeline, Pure]> {
  let summary = "a head plugin: it builds its own part of the model";
  let description = "Operands: the input and, where there is one, the target. `learning` is that of all its weights. Example: `%h = pipe.head \"classify\"(%x, %label) at \"answer\" with {bias = true} : (!pipe.vector<3>, !pipe.class<2>) -> !pipe.head`";
  let arguments = (ins StrAttr:$plugin, Variadic<Pipe_Value>:$inputs, StrAttr:$path, OptionalAttr<DictionaryAttr>:$arguments,
                       OptionalAttr<DictionaryAttr>:$learning);
  let results = (outs Pipe_HeadType:$result);
  let assemblyFormat = [{$plugin `(` $inputs `)` `at` $path (`with` $arguments^)? attr-dict `:`
                         functional-type($inputs, $result)}];
  let hasVerifier = 1;
}

def Pipe_AnswerOp : Pipe_Op<"answer", [Pipe_InPipeline]> {
  let summary = "a named answer of the model, and the plugin that decodes it";
  let description = "Example: `pipe.answer \"answer\" %p target \"label\" decoder \"classify\" : !pipe.vector<2>`";
  let arguments = (ins StrAttr:$name, AnyTypeOf<[Pipe_Sequence, Pipe_Vector, Pipe_Number]>:$value, StrAttr:$target, StrAttr:$decoder,
                       OptionalAttr<DictionaryAttr>:$arguments);
  let assemblyFormat = "$name $value `target` $target `decoder` $decoder (`with` $arguments^)? attr-dict `:` type($value)";
}

def Pipe_ObjectiveOp : Pipe_Op<"objective", [Pipe_InPipeline]> {
  let summary = "what training minimizes, and how";
  let description = [{
    Of several each has a name, and moves the weights whose `learning` has its place among them as `objective`. `optimizer` is a dictionary
    of its kind and its arguments, without the learning rate, which comes with every step.
    Example: `pipe.objective "" %loss {kind = "sgd", momentum = 9.000000e-01 : f64} {clip_norm = 0.000000e+00 : f64}`
  }];
  let arguments = (ins StrAttr:$name, Pipe_Scalar:$value, DictionaryAttr:$optimizer, F64Attr:$clip_norm);
  let assemblyFormat = "$name $value $optimizer attr-dict";
  let hasVerifier = 1;
}

#endif
