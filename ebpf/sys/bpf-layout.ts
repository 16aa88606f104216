import type { Layout } from './struct.ts'

/**
 * The parts of `union bpf_attr` and the info structs of linux/bpf.h that this package uses. The only layouts
 * written by hand; bpf-layout.test.ts compares them with the BTF of the running kernel.
 */
const layout = <N extends string>(
  size: number,
  fields: Record<N, readonly [offset: number, size: number]>,
): Layout<N> => ({ size, fields })

export const mapCreateAttr = layout(72, {
  map_type: [0, 4],
  key_size: [4, 4],
  value_size: [8, 4],
  max_entries: [12, 4],
  map_flags: [16, 4],
  inner_map_fd: [20, 4],
  map_name: [28, 16],
  btf_fd: [48, 4],
  btf_key_type_id: [52, 4],
  btf_value_type_id: [56, 4],
})

export const mapElementAttr = layout(32, {
  map_fd: [0, 4],
  key: [8, 8],
  value: [16, 8],
  flags: [24, 8],
})

export const mapNextKeyAttr = layout(24, {
  map_fd: [0, 4],
  key: [8, 8],
  next_key: [16, 8],
})

export const mapBatchAttr = layout(56, {
  in_batch: [0, 8],
  out_batch: [8, 8],
  keys: [16, 8],
  values: [24, 8],
  count: [32, 4],
  map_fd: [36, 4],
  elem_flags: [40, 8],
  flags: [48, 8],
})

export const progLoadAttr = layout(72, {
  prog_type: [0, 4],
  insn_cnt: [4, 4],
  insns: [8, 8],
  license: [16, 8],
  log_level: [24, 4],
  log_size: [28, 4],
  log_buf: [32, 8],
  prog_flags: [44, 4],
  prog_name: [48, 16],
  expected_attach_type: [68, 4],
})

export const objectPinAttr = layout(16, {
  pathname: [0, 8],
  bpf_fd: [8, 4],
  file_flags: [12, 4],
})

export const testRunAttr = layout(72, {
  prog_fd: [0, 4],
  retval: [4, 4],
  data_size_in: [8, 4],
  data_size_out: [12, 4],
  data_in: [16, 8],
  data_out: [24, 8],
  repeat: [32, 4],
  duration: [36, 4],
  ctx_size_in: [40, 4],
  ctx_size_out: [44, 4],
  ctx_in: [48, 8],
  ctx_out: [56, 8],
  flags: [64, 4],
})

export const getIdAttr = layout(12, {
  start_id: [0, 4],
  next_id: [4, 4],
  open_flags: [8, 4],
})

export const objectInfoAttr = layout(16, {
  bpf_fd: [0, 4],
  info_len: [4, 4],
  info: [8, 8],
})

export const progQueryAttr = layout(28, {
  target_fd: [0, 4],
  attach_type: [4, 4],
  query_flags: [8, 4],
  attach_flags: [12, 4],
  prog_ids: [16, 8],
  prog_cnt: [24, 4],
})

export const btfLoadAttr = layout(28, {
  btf: [0, 8],
  btf_log_buf: [8, 8],
  btf_size: [16, 4],
  btf_log_size: [20, 4],
  btf_log_level: [24, 4],
})

export const linkCreateAttr = layout(32, {
  prog_fd: [0, 4],
  target_fd: [4, 4],
  attach_type: [8, 4],
  flags: [12, 4],
  iter_info: [16, 8],
  iter_info_len: [24, 4],
})

export const linkUpdateAttr = layout(16, {
  link_fd: [0, 4],
  new_prog_fd: [4, 4],
  flags: [8, 4],
  old_prog_fd: [12, 4],
})

/** union bpf_iter_link_info for iterators over a map. */
export const iterLinkInfoMap = layout(4, {
  map_fd: [0, 4],
})

/** LINK_DETACH too, which reads link_fd alone. */
export const iterCreateAttr = layout(8, {
  link_fd: [0, 4],
  flags: [4, 4],
})

export const enableStatsAttr = layout(4, {
  type: [0, 4],
})

export const mapInfo = layout(88, {
  type: [0, 4],
  id: [4, 4],
  key_size: [8, 4],
  value_size: [12, 4],
  max_entries: [16, 4],
  map_flags: [20, 4],
  name: [24, 16],
  btf_id: [64, 4],
  btf_key_type_id: [68, 4],
  btf_value_type_id: [72, 4],
})

export const progInfo = layout(232, {
  type: [0, 4],
  id: [4, 4],
  tag: [8, 8],
  jited_prog_len: [16, 4],
  xlated_prog_len: [20, 4],
  load_time: [40, 8],
  nr_map_ids: [52, 4],
  map_ids: [56, 8],
  name: [64, 16],
  btf_id: [128, 4],
  run_time_ns: [192, 8],
  run_cnt: [200, 8],
  verified_insns: [216, 4],
})

/** Fields from byte 16 on are a union by link type. */
export const linkInfo = layout(48, {
  type: [0, 4],
  id: [4, 4],
  prog_id: [8, 4],
})

/** struct { cgroup } of bpf_link_info. */
export const linkInfoCgroup = layout(12, {
  cgroup_id: [0, 8],
  attach_type: [8, 4],
})

/** struct { iter } of bpf_link_info, for iterators over a map. */
export const linkInfoIter = layout(16, {
  target_name: [0, 8],
  target_name_len: [8, 4],
  'map.map_id': [12, 4],
})

export const LINK_INFO_UNION = 16
