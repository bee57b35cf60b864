"""Write a copy of a GGUF with its main matrices in another type. Arguments: SOURCE TARGET TYPE"""

import sys
from collections import Counter

from gguf import GGMLQuantizationType, GGUFReader, GGUFValueType, GGUFWriter, LlamaFileType
from gguf.quants import dequantize, quantize

SOURCE, TARGET, TYPE = sys.argv[1:4]
# The header's name of each type. Readers go by the types of the tensors.
FILE_TYPES = {
    "F16": LlamaFileType.MOSTLY_F16,
    "Q8_0": LlamaFileType.MOSTLY_Q8_0,
    "Q4_0": LlamaFileType.MOSTLY_Q4_0,
    "Q4_1": LlamaFileType.MOSTLY_Q4_1,
    "Q5_0": LlamaFileType.MOSTLY_Q5_0,
    "Q5_1": LlamaFileType.MOSTLY_Q5_1,
}

target = GGMLQuantizationType[TYPE]
reader = GGUFReader(SOURCE)


def value(field):
    return field.contents()


architecture = value(reader.fields["general.architecture"])
writer = GGUFWriter(TARGET, architecture)
for name, field in reader.fields.items():
    if name.startswith("GGUF.") or name == "general.architecture":
        continue
    kind = field.types[0]
    if name == "general.file_type":
        writer.add_file_type(FILE_TYPES[TYPE])
    elif kind == GGUFValueType.ARRAY:
        if len(field.data) > 0:
            writer.add_key_value(name, value(field), kind, field.types[-1])
    else:
        writer.add_key_value(name, value(field), kind)

layers = [t for t in reader.tensors if t.name.startswith("blk.") and len(t.shape) == 2]
main = Counter(t.tensor_type for t in layers).most_common(1)[0][0]
for tensor in reader.tensors:
    if tensor.tensor_type == main and tensor in layers:
        weights = dequantize(tensor.data, tensor.tensor_type)
        data, kind = quantize(weights, target), target
    else:
        data, kind = tensor.data, tensor.tensor_type
    writer.add_tensor(tensor.name, data, raw_dtype=kind)
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()
