import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EbpfError } from './error.ts'
import { summarize, VerifierError } from './verifier-error.ts'

// As kernel 6.18 writes it.
const outside = `0: R1=ctx() R10=fp0
; __u8 *data = (void *)(long)skb->data; @ refused.bpf.c:17
0: (61) r1 = *(u32 *)(r1 +76)         ; R1=pkt(r=0)
; return data[100]; @ refused.bpf.c:19
1: (71) r0 = *(u8 *)(r1 +100)
invalid access to packet, off=100 size=1, R1(id=0,off=100,r=0)
R1 offset is outside of the packet
processed 2 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
`

// As kernel 5.10 writes it: states between the instructions, the reason last but one.
const older = `Unrecognized arg#0 type PTR
; int first(struct bpf_sock_addr *ctx)
0: (b7) r0 = 0
; return *p;
1: R0_w=inv0 R1=ctx(id=0,off=0,imm=0) R10=fp0
1: (61) r0 = *(u32 *)(r0 +0)
R0 invalid mem access 'inv'
verification time 54 usec
stack depth 0
processed 2 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
`

test('the summary is the reason and where', () => {
  assert.equal(
    summarize(outside),
    'R1 offset is outside of the packet\n  at 1: (71) r0 = *(u8 *)(r1 +100)  // return data[100]; @ refused.bpf.c:19',
  )
  assert.equal(
    summarize(older),
    "R0 invalid mem access 'inv'\n  at 1: (61) r0 = *(u32 *)(r0 +0)  // return *p;",
  )
})

test('a reason without an instruction is one line', () => {
  assert.equal(
    summarize('unknown func bpf_set_retval#187\nprocessed 0 insns\n'),
    'unknown func bpf_set_retval#187',
  )
})

test('what a log that says nothing known says is shown as it is', () => {
  assert.equal(summarize('processed 3 insns\n'), 'processed 3 insns')
  assert.equal(summarize(''), 'it said nothing')
})

test('the whole log is kept', () => {
  const error = new VerifierError('connect4', outside, new EbpfError('PERMISSION', 'x', { errno: 'EACCES' }))
  assert.equal(error.log, outside)
  assert.deepEqual([error.code, error.errno, error.program], ['VERIFIER', 'EACCES', 'connect4'])
  assert.equal(error.message.split('\n').length, 2)
})
