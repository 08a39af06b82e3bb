//go:build !purego

#include "textflag.h"

// The 16 bytes in X become 16 bits in R: 1 for a byte below 0x20 or over 0x7E.
// One comparison does for both, as all of them are below 0x21 when 1 is added
// and the sum is taken as a signed byte. Backslashes are gathered in X8.
#define SPECIALS(X, R) \
	MOVOA   X, X4;    \
	PCMPEQB X7, X4;   \
	POR     X4, X8;   \
	PADDB   X5, X;    \
	MOVOA   X6, X4;   \
	PCMPGTB X, X4;    \
	PMOVMSKB X4, R

// 64 bytes at SI become a word in AX.
#define CHUNK \
	MOVOU (SI), X0;   \
	MOVOU 16(SI), X1; \
	MOVOU 32(SI), X2; \
	MOVOU 48(SI), X3; \
	SPECIALS(X0, AX); \
	SPECIALS(X1, BX); \
	SPECIALS(X2, DX); \
	SPECIALS(X3, R8); \
	SHLQ  $16, BX;    \
	SHLQ  $32, DX;    \
	SHLQ  $48, R8;    \
	ORQ   BX, AX;     \
	ORQ   R8, DX;     \
	ORQ   DX, AX

// func scanChunks(b *byte, n int, masks *[scanWords]uint64) (backslashes uint64)
TEXT ·scanChunks(SB), NOSPLIT, $0-32
	MOVQ b+0(FP), SI
	MOVQ n+8(FP), CX
	MOVQ masks+16(FP), DI
	MOVQ $0x0101010101010101, AX
	MOVQ AX, X5
	PUNPCKLQDQ X5, X5
	MOVQ $0x2121212121212121, AX
	MOVQ AX, X6
	PUNPCKLQDQ X6, X6
	MOVQ $0x5c5c5c5c5c5c5c5c, AX
	MOVQ AX, X7
	PUNPCKLQDQ X7, X7
	PXOR X8, X8
	SUBQ $64, CX

whole:
	CHUNK
	MOVQ AX, (DI)
	ADDQ $64, SI
	ADDQ $8, DI
	SUBQ $64, CX
	JGE  whole

	// CX is what is left, less 64. The last chunk ends where the bytes end, and
	// its bits that are in the word before are shifted out.
	CMPQ CX, $-64
	JEQ  done
	ADDQ CX, SI
	CHUNK
	NEGQ CX
	SHRQ CX, AX
	MOVQ AX, (DI)

done:
	PMOVMSKB X8, AX
	MOVQ AX, backslashes+24(FP)
	RET
