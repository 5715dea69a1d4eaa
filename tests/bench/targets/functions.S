/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * The same function behind the two prologues that matter for a probe: what compilers make with branch protection, and a
 * five-byte nop; and once more with a five-byte nop before the epilogue too. int f(struct model *model, int rows): adds to model->calls, returns 0.
 */
	.text

.macro BODY nop_at_exit=0
	pushq	%rbp
	.cfi_def_cfa_offset 16
	.cfi_offset %rbp, -16
	movq	%rsp, %rbp
	.cfi_def_cfa_register %rbp
	incq	16(%rdi)
	xorl	%eax, %eax
	cmpl	$-1, %esi		/* as the stack protector's branch stands before an epilogue */
	je	1f
	.if	\nop_at_exit
	.byte	0x0f, 0x1f, 0x44, 0x00, 0x00
	.endif
	popq	%rbp
	.cfi_def_cfa %rsp, 8
	ret
1:	ud2
.endm

	.globl	bench_endbr
	.type	bench_endbr, @function
bench_endbr:
	.cfi_startproc
	endbr64
	BODY
	.cfi_endproc
	.size	bench_endbr, .-bench_endbr

	.globl	bench_nop5
	.type	bench_nop5, @function
	.p2align 4
bench_nop5:
	.cfi_startproc
	.byte	0x0f, 0x1f, 0x44, 0x00, 0x00
	BODY
	.cfi_endproc
	.size	bench_nop5, .-bench_nop5

	.globl	bench_nop5s
	.type	bench_nop5s, @function
	.p2align 4
bench_nop5s:
	.cfi_startproc
	.byte	0x0f, 0x1f, 0x44, 0x00, 0x00
	BODY	nop_at_exit=1
	.cfi_endproc
	.size	bench_nop5s, .-bench_nop5s

	.section .note.GNU-stack, "", @progbits
