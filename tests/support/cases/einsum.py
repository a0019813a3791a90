"""Rows for einsum."""

from opcases import Case, integers, normal


def einsum(equation):
    return lambda lib, *operands: lib.einsum(equation, *operands)


CASES = [
    Case("einsum", einsum("ij,jk->ik"), normal(3, 4), normal(4, 2)),
    Case("einsum.implicit", einsum("bA,Ac"), normal(3, 4), normal(4, 2)),
    Case("einsum.spaces", einsum(" i j , j k -> k i "), normal(3, 4), normal(4, 2)),
    Case("einsum.sum", einsum("ij->"), normal(3, 4)),
    Case("einsum.sum_of_one", einsum("ij->j"), normal(3, 4)),
    Case("einsum.transpose", einsum("ij->ji"), normal(3, 4)),
    Case("einsum.nothing_to_do", einsum("ij->ij"), normal(3, 4)),
    Case("einsum.trace", einsum("ii"), normal(3, 3)),
    Case("einsum.diagonal", einsum("ii->i"), normal(3, 3)),
    Case("einsum.cube_diagonal", einsum("iii->i"), normal(3, 3, 3)),
    Case("einsum.diagonal_times", einsum("iji,jk->ki"), normal(3, 2, 3), normal(2, 4)),
    Case("einsum.dot", einsum("i,i"), normal(4), normal(4)),
    Case("einsum.outer", einsum("i,j->ji"), normal(3), normal(4)),
    Case("einsum.elementwise", einsum("ij,ij->ij"), normal(3, 4), normal(3, 4)),
    Case("einsum.rows_dotted", einsum("bi,bi->b"), normal(3, 4), normal(3, 4)),
    Case("einsum.stack", einsum("bij,bjk->bik"), normal(2, 3, 4), normal(2, 4, 2)),
    Case("einsum.attention", einsum("bqhd,bkhd->bhqk"), normal(2, 3, 2, 4), normal(2, 5, 2, 4)),
    Case("einsum.alone_on_the_left", einsum("ij,k->k"), normal(3, 4), normal(2)),
    Case("einsum.alone_on_the_right", einsum("i,ijk->i"), normal(3), normal(3, 4, 2)),
    Case("einsum.full_sums", einsum("ij,kl->"), normal(3, 4), normal(2, 2)),
    Case("einsum.bilinear", einsum("bi,ij,bj->b"), normal(2, 3), normal(3, 4), normal(2, 4)),
    Case("einsum.chain", einsum("ij,jk,kl,l->i"), normal(2, 3), normal(3, 4), normal(4, 2), normal(2)),
    Case("einsum.three_share", einsum("i,i,i->i"), normal(3), normal(3), normal(3)),
    Case("einsum.itself", lambda lib, x: lib.einsum("ij,kj->ik", x, x), normal(3, 4)),
    Case("einsum.ellipsis", einsum("...ij,...jk->...ik"), normal(2, 3, 4), normal(2, 4, 2)),
    Case("einsum.ellipsis_broadcasts", einsum("...ij,...jk"), normal(2, 1, 3, 4), normal(5, 4, 2)),
    Case("einsum.ellipsis_within", einsum("i...j,j...->...i"), normal(2, 3, 4), normal(4, 3)),
    Case("einsum.ellipsis_of_one", einsum("i...,i"), normal(2, 3), normal(2)),
    Case("einsum.ellipsis_summed", einsum("...i->i"), normal(2, 3, 4)),
    Case("einsum.ellipsis_empty", einsum("...ij->...ji"), normal(3, 4)),
    Case("einsum.ones_broadcast", einsum("ij,jk->ik"), normal(3, 4), normal(1, 2)),
    Case("einsum.ones_broadcast_back", einsum("ij,ij->ij"), normal(3, 1), normal(1, 4)),
    Case("einsum.ones_summed", einsum("ij,j->i"), normal(3, 1), normal(1)),
    Case("einsum.numbers", einsum(",->"), normal(), normal()),
    Case("einsum.number_times", einsum(",ij->ij"), normal(), normal(2, 3)),
    Case("einsum.empty_sum", einsum("ij,jk->ik"), normal(3, 0), normal(0, 2)),
    Case("einsum.empty", einsum("bij,bjk->bik"), normal(0, 3, 4), normal(0, 4, 2)),
    Case("einsum.integers", einsum("ij,jk->ik"), integers(-5, 5, 3, 4), integers(-5, 5, 4, 2), grad=False),
]
