/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* Constants that the kernel's headers keep from user space, and the switches that the loader sets. */
#pragma once

#include <stdbool.h>
#include <linux/types.h>
#include <linux/bpf.h>
#include <linux/errno.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define AF_INET 2
#define AF_INET6 10

/* Lays the path of a plain TCP connection out in one piece: most of what connect() costs is cold memory. */
#define unlikely(x) __builtin_expect(!!(x), 0)

#define NS_PER_S 1000000000ULL

/* No service port: reasons such as UNALLOCATED have none. */
#define NO_SERVICE_PORT 0xffffffffU

/* What a program returns to let the kernel, and the programs of others, go on. */
#define NEXT 1
#define REJECT 0

/* Set before loading. What is off is dead code: the verifier removes it. */
const volatile bool events_enabled = false;
const volatile bool record_tcp = true; /* off: getpeername shows the backend, connect saves 0.9 us */
const volatile bool use_set_retval = true; /* off: refuse as on kernels before 5.18 */
