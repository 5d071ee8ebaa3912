"""A piece of a row under the shader: which attributes of its pixels lie where.

Rows are shaded in stages over pieces of `PIECE` pixels, whose attributes lie one after the other
in one small array: a run of pixels of one triangle fills them, and loops over whole pieces, which
compile to vector instructions, do the rest. Strides that the compiler knows tell it that the
attributes do not overlap.
"""

PIECE = 256  # pixels shaded together; their attributes fit the processor's second cache
BLOCK = 8  # pixels that are asked together whether any of them faces the sun
STRIDE = PIECE + BLOCK
# Place and length of a run are masked by this, which changes nothing but tells the compiler that
# no index is negative: only then it makes vector instructions of a loop.
WITHIN = 511
# Where a piece's attributes lie, in pieces.
DEPTH, AIR, TEX_U, TEX_V, SPREAD, AMBIENT, FACING = 0, 1, 2, 3, 4, 5, 6
MAP_U, MAP_V, MAP_NEAR, RED, GREEN, BLUE, GLOW = 7, 8, 9, 10, 11, 12, 13
SHARE, SHINE = 14, 15
NORMAL_X, NORMAL_Y, NORMAL_Z, LAMP_R, LAMP_G, LAMP_B = 16, 17, 18, 19, 20, 21  # by night
PLACES = 22
# Whole numbers of a piece: of each texture its first texel and width, then the four texels looked
# at (before the look: their indices) and 8-bit weights.
FIRST, WIDTH, TEXEL, ACROSS, DOWN = 0, 1, 2, 6, 7
WHOLE_PLACES = 8
GRAIN_SIZE = 1 << 16  # values of the dither table; PIECE more follow
