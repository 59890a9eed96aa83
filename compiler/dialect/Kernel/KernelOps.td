// The Kernel dialect: what the compiled program asks of the runtime's kernels, and how work is cut into blocks.
#ifndef PENSTOCK_DIALECT_KERNEL_OPS
#define PENSTOCK_DIALECT_KERNEL_OPS

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/OpBase.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/IR/RegionKindInterface.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Kernel_Dialect : Dialect {
  let name = "kernel";
  let cppNamespace = "::penstock::kernel";
  let useDefaultAttributePrinterParser = 1;
  let summary = "kernel dispatch and invocation, row regions, and the program's surroundings";
  let description = [{
    Used at two heights. Over values: `kernel.dispatch` names a kernel to make once at load, `kernel.invoke` uses it in the
    step, and `kernel.rows` groups everything that can be computed block by block over the rows of one axis. Over memory:
    `kernel.parallel` runs a body over blocks on the pool, `kernel.call` calls a C function of the table,
    `kernel.get` reads what the caller passed (abi/program_abi.h).
  }];
}

//===--- the plan of memory -----------------------------------------------------------------------------------------===//

def Kernel_PlaceKind : I32EnumAttr<"PlaceKind", "which memory a value lies in",
                                   [I32EnumAttrCase<"slot", 0>, I32EnumAttrCase<"gradient", 1>, I32EnumAttrCase<"parameter", 2>,
                                    I32EnumAttrCase<"fitted", 3>, I32EnumAttrCase<"input", 4>, I32EnumAttrCase<"output", 5>,
                                    I32EnumAttrCase<"worker", 6>, I32EnumAttrCase<"state", 7>]> {
  let cppNamespace = "::penstock::kernel";
  let genSpecializedAttr = 0;
}

def Kernel_PlaceAttr : AttrDef<Kernel_Dialect, "Place"> {
  let mnemonic = "place";
  let summary = "where a value lies";
  let description = [{
    `at`: the number of a slot of the entry's arena, of an input or of an output; else bytes, from the beginning of the arena (gradient), of the
    flat buffer, or of a worker's scratch. `section`: of the arena, for a slot: its axis, or the records. `width`: elements of a row, where no
    type says it. `stride`: elements from a row to the next, where they are more. Example: `#kernel.place<slot 3 section 1>`
  }];
  let parameters = (ins EnumParameter<Kernel_PlaceKind>:$kind, "int64_t":$at, DefaultValuedParameter<"int64_t", "-1">:$section,
                        DefaultValuedParameter<"int64_t", "0">:$width, DefaultValuedParameter<"int64_t", "0">:$stride);
  let assemblyFormat = "`<` $kind $at (`section` $section^)? (`width` $width^)? (`stride` $stride^)? `>`";
}

def Kernel_SlotAttr : AttrDef<Kernel_Dialect, "Slot"> {
  let mnemonic = "slot";
  let summary = "bytes of the arena that hold one value after another";
  let description = "`constant` bytes, and `coefficient` bytes for each row of the section's axis. Example: `#kernel.slot<64 + 20 in 1>`";
  let parameters = (ins "int64_t":$constant, DefaultValuedParameter<"int64_t", "0">:$coefficient,
                        DefaultValuedParameter<"int64_t", "-1">:$section);
  let assemblyFormat = "`<` $constant (`+` $coefficient^ `in` $section)? `>`";
}

def Kernel_NumberKind : I32EnumAttr<"NumberKind", "what a number of a step stands for",
                                    [I32EnumAttrCase<"slot", 0>, I32EnumAttrCase<"offset", 1>, I32EnumAttrCase<"handle", 2>,
                                     I32EnumAttrCase<"randomKey", 3>, I32EnumAttrCase<"count", 4>]> {
  let cppNamespace = "::penstock::kernel";
  let genSpecializedAttr = 0;
}

def Kernel_NumberAttr : AttrDef<Kernel_Dialect, "Number"> {
  let mnemonic = "number";
  let summary = "a number of a step, by what it is in the step that the code was made for";
  let parameters = (ins EnumParameter<Kernel_NumberKind>:$kind, "int64_t":$value);
  let assemblyFormat = "`<` $kind $value `>`";
}

class Kernel_Op<string mnemonic, list<Trait> traits = []> : Op<Kernel_Dialect, mnemonic, traits>;

def Kernel_DispatchOp : Kernel_Op<"dispatch", [Symbol]> {
  let summary = "a kernel made once at load, with the numbers that it depends on";
  let description = [{
    The handle keeps packed weights. `by` names who computes it where these are not our own kernels (runtime/base/kernel_choices.h).
    Example: `kernel.dispatch @matmul_0 "matmul" [128, 512, 0, 512, 0] by "onednn"`
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, StrAttr:$kernel, DenseI64ArrayAttr:$numbers, OptionalAttr<StrAttr>:$implementation);
  let assemblyFormat = "$sym_name $kernel $numbers (`by` $implementation^)? attr-dict";
  let hasVerifier = 1;
}

def Kernel_PackOp : Kernel_Op<"pack"> {
  let summary = "packs a weight into the handle of a dispatch";
  let arguments = (ins FlatSymbolRefAttr:$handle, AnyType:$weight);
  let assemblyFormat = "$handle `,` $weight attr-dict `:` type($weight)";
}

def Kernel_InvokeOp : Kernel_Op<"invoke", [Pure]> {
  let summary = "one use of a kernel, over values";
  let description = [{
    `kernel` is a row of the table (runtime/base/kernel_rows.def), which says its scope: `rows` (block by block over rows, may stand in
    kernel.rows), `segments` (over records), `whole` (splits its own work). Example:
    `%y = kernel.invoke "matmul" @matmul_0 (%x, %b) : (!nn.rows<records x @tokens x 128xf32>, tensor<512xf32>) -> !nn.rows<records x @tokens x 512xf32>`
  }];
  let arguments = (ins StrAttr:$kernel, OptionalAttr<FlatSymbolRefAttr>:$handle, Variadic<AnyType>:$inputs);
  let results = (outs Variadic<AnyType>:$outputs);
  let assemblyFormat = "$kernel ($handle^)? `(` $inputs `)` attr-dict `:` functional-type($inputs, $outputs)";
  let hasVerifier = 1;
}

def Kernel_RowsOp : Kernel_Op<"rows", [SingleBlock, NoTerminator]> {
  let summary = "everything in its body runs block by block over the rows of one axis";
  let description = [{
    `axis`: the rows in words, "records x tokens", "records" or "fixed". The body captures values from above; `kernel.yield` gives those
    that are used outside. One region is one parallel loop: between its ops nothing waits.
  }];
  let arguments = (ins StrAttr:$axis);
  let results = (outs Variadic<AnyType>:$outputs);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "$axis (`->` type($outputs)^)? attr-dict-with-keyword $body";
}
def Kernel_YieldOp : Kernel_Op<"yield", [Terminator, ReturnLike, Pure]> {
  let summary = "the values of a row region that are used outside";
  let arguments = (ins Variadic<AnyType>:$inputs);
  let assemblyFormat = "($inputs^ `:` type($inputs))? attr-dict";
}

//===--- what a step is made from -----------------------------------------------------------------------------------===//

def Kernel_ValueOp : Kernel_Op<"value", [Pure]> {
  let summary = "what another step computed, in the function of a step";
  let description = "Its place is that of `kernel.places`.";
  let results = (outs AnyType:$result);
  let assemblyFormat = "attr-dict `:` type($result)";
}

def Kernel_ZerosOp : Kernel_Op<"zeros"> {
  let summary = "zeros between gradients: `count` elements, `offset` bytes from the beginning of the arena";
  let arguments = (ins I64Attr:$count, I64Attr:$offset);
  let assemblyFormat = "$count `at` $offset attr-dict";
}

//===--- over memory ------------------------------------------------------------------------------------------------===//

def Kernel_EntryOp : Kernel_Op<"entry", [Symbol, SingleBlock, NoTerminator]> {
  let summary = "an entry of the program: its steps in order";
  let arguments = (ins SymbolNameAttr:$sym_name);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "$sym_name attr-dict-with-keyword $body";
}

def Kernel_StepOp : Kernel_Op<"step", [HasParent<"EntryOp">]> {
  let summary = "runs the code of a step with the numbers of this one";
  let description = [{
    `code` is a function of the call and the numbers; steps that are equal but for byte offsets, handles and keys of random
    numbers share it. Example: `kernel.step @penstock_step_0 [65536, 0, 1536, 3]`
  }];
  let arguments = (ins FlatSymbolRefAttr:$code, DenseI64ArrayAttr:$numbers);
  let assemblyFormat = "$code $numbers attr-dict";
}

def Kernel_NumberOp : Kernel_Op<"number", [Pure]> {
  let summary = "a number of the step that is running";
  let description = "The `index`-th of its `kernel.step`. Only places, handles and keys are such numbers, never the bound of a loop.";
  let arguments = (ins I64Attr:$index);
  let results = (outs AnyTypeOf<[I64, Index]>:$result);
  let assemblyFormat = "$index attr-dict `:` type($result)";
}

def Kernel_GetOp : Kernel_Op<"get", [Pure]> {
  let summary = "something of PenstockCall";
  let description = [{
    `what`: records, rows, capacity, learning_rate, seed, step, parameters, states, fitted, arena, pool,
    section, count_place, seed_place, step_place, shared, team_shared, input, output, offsets, row_parent, row_position, row_record, row_place, row_segment, row_word, record_numbers, handle, deferred, deferred_first, gradients,
    part, weight. `index` chooses among several, or `place` where it is a number of the step. Buffers are `memref<?xi8>`; pool and handles `!llvm.ptr`.
  }];
  let arguments = (ins StrAttr:$what, DefaultValuedAttr<I64Attr, "0">:$index, Optional<I64>:$place);
  let results = (outs AnyType:$result);
  let assemblyFormat = "$what (`[` $place^ `]`)? attr-dict `:` type($result)";
}

def Kernel_ParallelOp : Kernel_Op<"parallel", [SingleBlock, NoTerminator, RecursiveMemoryEffects]> {
  let summary = "runs its body over [0, count) in pieces of `grain` on the pool";
  let description = "Block arguments: begin, end of the piece and the worker, all index.";
  let arguments = (ins Index:$count, I64Attr:$grain);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "$count `grain` $grain attr-dict-with-keyword $body";
}

def Kernel_LaunchOp : Kernel_Op<"launch", [SingleBlock, NoTerminator, RecursiveMemoryEffects]> {
  let summary = "runs its body on a device, once for each of `items`, a team of threads each";
  let description = [{
    `team`: threads that share a piece. `shared`: bytes of a team in the memory of its block. Block arguments, all index: the number of the piece,
    of the thread in its team, of the team in its block. `items` bounds the pieces; the body knows how many there are.
  }];
  let arguments = (ins Index:$items, I64Attr:$team, I64Attr:$shared);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "$items `team` $team `shared` $shared attr-dict-with-keyword $body";
}

def Kernel_CallOp : Kernel_Op<"call"> {
  let summary = "calls the C function of a row of the table; memrefs pass as pointers to their first element";
  let description = "`device`: the function enqueues and takes the call first (runtime/cuda/kernel_types.h).";
  let arguments = (ins StrAttr:$kernel, Variadic<AnyType>:$inputs, UnitAttr:$device);
  let assemblyFormat = "$kernel `(` $inputs `)` (`on` `device` $device^)? attr-dict `:` type($inputs)";
  let hasVerifier = 1;
}

#endif
