import { buildVersion, type Edits } from './other-version.ts'

/** Versions of kpng before and after this one, as far as the kernel sees them. */

/** Before: frontends have less room, TCP records do not say whose they are, and there is one reason less. */
const older: Edits = {
  'maps.h': [
    ['\t__u32 maglev;\n\t__u32 reserved2;\n};', '};'],
    [
      '\t__u32 tgid; /* of the connecting process: a hint where to find its network namespace */\n\t__u32 reserved[5];',
      '\t__u32 reserved[6];',
    ],
    [
      "\tREASON_RECORD_UNKNOWN = 13, /* of no connection: a living map's record of a version that cannot be read */\n",
      '',
    ],
  ],
  'tcp_record.h': [['\trecord->tgid = bpf_get_current_pid_tgid() >> 32;\n', '']],
  'record_version.h': [['\tif (unlikely(version))\n\t\tcount_reason(REASON_RECORD_UNKNOWN);\n', '']],
}

/** After: every derived struct has another order and size, and records use what is reserved here. */
const newer: Edits = {
  'maps.h': [
    [
      '\t__u32 list; /* index into list */\n\t__u32 service_port; /* id: index into service_count, key of service */\n',
      '\t__u32 service_port;\n\t__u64 reserved3;\n\t__u32 list;\n',
    ],
    [
      '\t__be32 addr;\n\t__be16 port;\n\t__u16 weight;\n\t__u32 id; /* dense index of the membership (service port, address, port) */\n',
      '\t__u32 id;\n\t__u32 reserved2;\n\t__u32 reserved3;\n\t__u16 weight;\n\t__be16 port;\n\t__be32 addr;\n',
    ],
    [
      '\t__u8 addr[16];\n\t__be16 port;\n\t__u16 weight;\n\t__u32 id;\n',
      '\t__u32 id;\n\t__u8 addr[16];\n\t__be16 port;\n\t__u16 weight;\n\t__u64 reserved;\n',
    ],
    [
      '\tchar namespace[64];\n\tchar name[64];\n',
      '\t__u8 reserved2[8];\n\tchar name[64];\n\tchar namespace[64];\n',
    ],
    ['struct addr_value {\n', 'struct addr_value {\n\t__u32 reserved;\n'],
    ['\t__u32 reserved[5];', '\t__u32 connects;\n\t__u32 reserved[4];'],
    [
      '\t__u32 hint; /* slot where the backend was last seen; checked on use, saves the binary search */\n\t__u32 reserved;',
      '\t__u32 hint;\n\t__u32 fills;',
    ],
    [
      '\t__u8 version;\n\t__u8 reserved;\n};\n\n/* By backend id.',
      '\t__u8 version;\n\t__u8 uses;\n};\n\n/* By backend id.',
    ],
  ],
  'tcp_record.h': [
    [
      '\trecord->service_port = service_port;\n',
      '\trecord->service_port = service_port;\n\trecord->connects++;\n',
    ],
  ],
  'udp_record.h': [['\tflow->hint = pick->slot;\n}', '\tflow->hint = pick->slot;\n\tflow->fills++;\n}']],
  'affinity.h': [
    [
      '\tvalue->last_used_ns = request->now_ns;\n\treturn true;',
      '\tvalue->last_used_ns = request->now_ns;\n\tvalue->uses++;\n\treturn true;',
    ],
  ],
}

/** Reads records of version 2, and writes them, or not yet: there a TCP record has its Service's port inverted. */
const secondRecords = (written: 1 | 2): Edits => ({
  'maps.h': [
    ['\tRECORD_VERSION = 1,', `\tRECORD_VERSION = ${written},`],
    ['\tRECORD_NEWEST = 1,', '\tRECORD_NEWEST = 2,'],
  ],
  'tcp_record.h': [
    ['record->vip_port = request->port;', `record->vip_port = ${written === 2 ? '~' : ''}request->port;`],
  ],
  'sock.bpf.c': [
    [
      'ctx_set_address(ctx, form, &vip, record->vip_port);',
      'ctx_set_address(ctx, form, &vip, record->version == 2 ? ~record->vip_port : record->vip_port);',
    ],
  ],
})

/** Socket records that nobody else can read. */
const foreign: Edits = {
  'maps.h': [
    [
      '\t__be16 vip_port;\n\t__be16 backend_port;\n\t__u16 generation;\n\t__u32 backend; /* id */\n\t__u32 service_port; /* id */\n\t__u8 vip[16];',
      '\t__be16 backend_port;\n\t__be16 vip_port;\n\t__u16 generation;\n\t__u32 backend;\n\t__u32 service_port;\n\t__u8 vip[16];',
    ],
  ],
}

/** A field of a derived map that means something else than here. */
const reinterpreted: Edits = { 'maps.h': [['\tLAYOUT_VERSION = 1,', '\tLAYOUT_VERSION = 2,']] }

const versions = {
  older,
  newer,
  prepared: secondRecords(1),
  next: secondRecords(2),
  foreign,
  reinterpreted,
}

export type VersionName = keyof typeof versions

/** The directory of a version's objects and bindings. */
export const versionDirectory = (name: VersionName): string => buildVersion(name, versions[name])
