"""The annotation files that authors publish, as we know them: whose, which version, how long, and their sha256.

None of them is part of this package; `soundspot annotations fetch` gets them for a user from the authors' repositories.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

NO_LICENCE = "none stated"


@dataclass(frozen=True)
class Repository:
    """Where authors publish."""

    name: str
    """owner/name"""
    licence: str
    """As its licence file or its text says; none states one for the annotations apart from the code."""
    commit: str
    """The version that these files are from; HEAD where that is not known. The sha256 decides either way."""
    table: str
    """A line a file: bytes, sha256, path."""

    @property
    def files(self) -> dict[str, File]:
        """Its files by their own names."""
        rows = [line.split() for line in self.table.strip().splitlines()]
        files = [File(self, int(size), sha256, path) for size, sha256, path in rows]
        return {file.name: file for file in files}


@dataclass(frozen=True)
class File:
    """One file of a repository; it is kept under its own name, without folders."""

    repository: Repository
    size: int
    """Bytes."""
    sha256: str
    path: str

    @property
    def name(self) -> str:
        """What readers of data sets look for."""
        return PurePosixPath(self.path).name


@dataclass(frozen=True)
class Annotations:
    """Files that belong into one folder."""

    title: str
    sources: tuple[tuple[Repository, tuple[str, ...]], ...]
    """By repository the files' names; all it has, if none."""
    benchmarks: tuple[str, ...] = ()
    """Which can be scored with that folder as --annotations."""

    @property
    def files(self) -> tuple[File, ...]:
        """The files of all repositories."""
        return tuple(source.files[name] for source, names in self.sources for name in names or source.files)


EZ_VSL = Repository(
    "stoneMo/EZ-VSL",
    "Apache-2.0",
    "95ff5bf",
    """
620306 ae300b4a259267e6fe839970d495862edd70bfe3da63d925bcdb34054ed3b15e metadata/vggss.json
103160 971081929d45caf21a148a6ca968822d96e8316331d0cc0bafb1783acb4d2c35 metadata/vggss_test.csv
48715 70a01c6828e7b84531823616ebb2e32e75bbaf5e44c715fa366b61111ab33c4e metadata/vggss_heard_test.csv
48924 11883813db359df63e1a28f69bb53e1ceef7f5b8d68e0149de5792540acb9e17 metadata/vggss_unheard_test.csv
190000 9a19023b17aedc79001bbcb69ccd5c96f6af2f7b8ef1b12fa92a76050a0ae43e metadata/vggss_10k.txt
2736000 a9a02f704e8bb2d746c43860e5830e7589e9311de5bd067459484ec5bb4bd529 metadata/vggss_144k.txt
1129891 db900e2df283236b3e5485ae95a4a09f0904f8da184fc7da6f1ab1d24f6c5aa2 metadata/vggss_heard.txt
3909 faf5465bdb991cfb7506ccadef64dfea9e9bceb47e895d0e4dbdc2a0ca622871 metadata/flickr_test.csv
112320 773429321cd7690710660446b4aab9157ef75fe9a1f6b788649989a8066a77b1 metadata/flickr_10k.txt
1616814 5368914670a8e41f27591a7d6818abe74132aefd199a2a3b1861aeafa2e20b99 metadata/flickr_144k.txt
""",
)
SLAVC = Repository(
    "stoneMo/SLAVC",
    "Apache-2.0",
    "05b429c",
    """
620306 ae300b4a259267e6fe839970d495862edd70bfe3da63d925bcdb34054ed3b15e metadata/vggss.json
268233 905a009428e16d1108e5af112d8e682dbe1702a2ed897b3d56753ff587018e4e metadata/vggss_test_plus_silent.csv
3921 e5c04bd722fc73a2daafcdafe9e10068d198c5df168300db4e05aa61b4ef71ed metadata/flickr_test.csv
9300 45a0d32b64a9ef9e567d3eaf4a4a29683cdb0f7f4e1924a0e26cde24fa298643 metadata/flickr_test_plus_silent.csv
55374 af87c3a35d584d8792686fe8de5b21adaf331330b6e2b80c7d4998f60d4f9030 metadata/flickr_sup_train.txt
""",
)
SSL_ALIGN = Repository(
    "kaistmm/SSLalignment",
    NO_LICENCE,
    "e7ae3c5",
    """
1474459 fb0314fcc42e8bfdcfb24115e4cbbbbdfa2e0a53d59ca424c5308c0147ecde34 metadata/synthetic3240_bbox.json
1907745 310ed6cbcf0d579f948d022a83103e8522e25d7d8114f4dd5023dd17b4e9919b metadata/synthetic3240_seg.json
190719 bb6e957d0da2034669e3a54ef91124a09c9b89034ddfa47a56de9d023d09c734 metadata/vpo_ss_bbox.json
474594 7974e4c491b7216f3a0c0a3b773f58b33eada5b8c5b64b46a0e607ceeef3608d metadata/vpo_ms_bbox.json
245961 5e6ad3c49f9262af94013a23b6d4952e53fc661f9f8aee3bde237c5122b2fb26 metadata/vpo_ss_seg.json
614997 6b6a01400e8a8b72449a81000c6e24703060f0e257f634a67aeac9c49e38585d metadata/vpo_ms_seg.json
1027046 67da965929c03af6bf4709040d944b5d22daef489e0a7bb2ba3a486ac732b301 metadata/s4_box.json
80798 9453e0b0822c111cdfc2cde39d54b274cd9c08134a11815c9818bc199ea8d3e7 metadata/ms3_box.json
1393325 3fc71647e1295b52dfeb94c7550ce1335f48152c30a074e990b1b3b0c1e46ed0 metadata/s4_seg.json
109120 bcb31b811b34edaac0f0bee23726e733f52b41e39216f8d3ef2ea1811a299935 metadata/ms3_seg.json
113545 24546044696e8ea0aff172dc7acef36f84adfc7a00611c601c8ab7294ce3b6e2 metadata/ours_vggss.txt
3923 238dbe3d91befda692b9b8a9a1a0c2e14b1642de0801c8459adf59ae7f11f268 metadata/flickr_test.csv
3877 d6e743caab0775b1136c388e0de3012d84ad3d85303e8ff95a2af71eb6b238d1 metadata/test_flickr_249.txt
3892 6fc9c8147f5fd30f9c8849e15a79fd2c68eb55e8b7f3241695287350b22c9897 metadata/test_flickr_250.txt
""",
)
FNAC = Repository(
    "OpenNLPLab/FNAC_AVL",
    NO_LICENCE,
    "0a0ca78aa4b263fde37af85c82f4f6812853c6de",
    """
190000 0f45948f847134eda966d039d212eb50bd13cf316dcd93726c8b594bc2e8235a metadata/vggss_10k.txt
2736000 2a5721946e1c1ec0497ae0b347576226105650e7f6ee3075fce64e292953c8fc metadata/vggss_144k.txt
""",
)
SSL_TIE = Repository(
    "jinxiang-liu/SSL-TIE",
    "MIT",
    "c49e6a94e4ed63bba864ba01e9138451ca1cc801",
    """
112953 6d60cdd17757a7e10537d4bff0e6a53833d88beccffa0e58755c5d10fc50aead metadata/test_vggss_4911.txt
55775 3bad0ab8d27e2eea7f2b4b8992eae5d301a091c26c7fc89c46ab697f43b5ddcc metadata/openset/openset_test_110_heard_2425.txt
56649 1002bad83272bb6b7b7e1a26e8b3da07f2ce2fdfc2a4f694d442f0c53926be9f metadata/openset/openset_test_110_unheard_2463.txt
1330000 39304950ce89bf0b58b900fda463e06122a9db3422d8d10f1196d78dd72d1894 metadata/openset/openset_train_110_70k.txt
190000 47b12e74a448b10f1d51fa7b4908b93c45f3be18099033e8e3ef735fa8caedb6 metadata/train_vggss_train_10k.txt
2736000 703eca24ff71c1fcfbdcde06d49a246151838f4a03620104fa8dd3b00e977e46 metadata/train_vggss_train_144k.txt
3614332 4c2443aab0e99e34eb8496b26b7bc17dc9f84a57a85e38e75ee5458099c0232b metadata/train_vggss_190228.txt
2736000 248babf9cd29cb1d9ab6574b938c46412aaea7366629839e6948f309f5b25954 metadata/train_seen_144k_list.txt
78267 216d47977c8508abd048ff5bc886a5315224c888f69080d741fd9a0ff3458f0e metadata/test_flickr_5k.txt
355531 93f0e6c510a8eb3d090fbfdd91633071227a393168379e2b3aba9ae248774703 metadata/train_flickr_10k.txt
""",  # noqa: E501
)
SSPL = Repository(
    "zjsong/SSPL",
    "MIT",
    "d1af4c7a228fcc0184cae2c6b9dc251ddf4ff780",
    """
93840 f075b27306ca213da3c56fe996cdf7a1b39ef7d6e0077c95be580fc5a60af98d metadata/vggss_test_4692.csv
""",
)
HEAR_THE_FLOW = Repository(
    "denfed/heartheflow",
    "MIT",
    "60ed54d84d94821856522a44126173ca9be1a729",
    """
88730 b59e784cd13caeea7c95fcdf82b2ba33eefa0e98e5d924fdc7f1f49d4970d73c metadata/vggss_test_trimmed.csv
2672 eac34b3d1312ede25e9f64ffabb2b2ce02f4c407b49ba1d0bd627d433c522bf3 metadata/flickr_test_trimmed.csv
19288 1a8ce19fb9c1c4d09ddf484563a32e35c21d1e915cb96afd06a6da4236f402a1 metadata/flickr_test_expanded.csv
189999 2dc8c031db640f280c75ce54c2fd6da3e910415a6dedd5034e5868fa71707f0e metadata/vgg_train_10k.txt
2735999 f1ec874c7913c1a775d68044163bde7eb4e77bf24e62022b9fef9ffdc7f3a456 metadata/vgg_train_144k.txt
110548 e2b5763330b9dad88d4cd656b42265dc63c1c477c5b3f46446c5364c9779c291 metadata/flickr_train_10k.txt
1591734 e9988e0327efce19f3d7217c5ff57feaa910de23c5144c1b27d26700274534a9 metadata/flickr_train_144k.txt
""",
)
ATTENTION10K = Repository(
    "ardasnck/learning_to_localize_sound_source",
    "none stated, but for research purposes only",
    "89205e9b0af21be847d29deeaded140604e77229",
    """
2192840 1df6592386ca744ae4663a1372e493adfb1ec034bfc20b2f5b11c5ca2160e44e Flickr_train_144k.txt
3892 7134e3d58fffd0232cde2674a1d387c0c1e4d2844b153d894a47d1c6865567cd test_list.txt
11371 9072744d952c5817851fa11efdd59bef69e29f9f1b0a4b908303934a70a2777e supervised_test_list.txt
""",
)
DSOL = Repository(
    "DTaoo/Discriminative-Sounding-Objects-Localization",
    "MIT",
    "7f40207",
    """
2612702 57fb92b151f7306869f4f3395237d052395885dca226138539e93f72a952faa4 music-exp/solotest.json
2805824 d9f0a4faa8bebf3e281ea05d04597bf4070c2210aad137322d96d79c9d155fdd music-exp/duettest.json
805139 fa9f78ce83c1544ea780df6e4adb321ed34bd485f683f548b6f117add3417b74 audioset-instrument/audioset_box.json
15397 cddd3e9544cac4b5e5ebd55c2707bad0eb6ad29ebff571afb70a5545d4740304 music-exp/data/MUSIC_label/MUSIC_solo_videos.json
4601 f53c60f22d1901b88a15592b55a7e9891ae70016d08fb6f7ec7acd04091cd2e9 music-exp/data/MUSIC_label/MUSIC_duet_videos.json
10199 995bfce37a0483a0beb1ccb98b3400cfe5b8636a658c6b662031a4d159879ad5 music-exp/data/data_indicator/music/solo/solo_training_1.txt
10481 5aa3f0895180eb6df91b33469c6dd5026a937838cb5aaefdff43e61c84361510 music-exp/data/data_indicator/music/solo/solo_training_2.txt
1269 d4e3e60a8756b6bedb12b646112076d12cd3a9751261ad6fc276ee929ff8c9d9 music-exp/data/data_indicator/music/solo/solo_testing.txt
23472 d51cb8aa99dbb9305ef2d8429e107b6808aa2134e8af94eb9daf09642e1aac02 music-exp/data/data_indicator/music/solo/solo_pairs.txt
5827 f093ce96e492346ae677318bc2ef50dbc0ae9964f1378c90abc05f33872314f5 music-exp/data/data_indicator/music/duet/duet_pairs_train.txt
798 c12b6ccf3d70ee49bcc6e59540f0f3482e19c003179431aac7d029c9afd234a3 music-exp/data/data_indicator/music/duet/duet_pairs_val.txt
""",  # noqa: E501
)
CSOL = Repository(
    "GeWu-Lab/CSOL_TPAMI2021",
    "MIT",
    "HEAD",
    """
963237 20a644152819d83fa9b782b7d7846611a448b1d39ec3239501665720076fd8c2 code/CSOL/data/data_indicator/vggsound/train.txt
473517 227590264124a7086334f16deeb2b464712745a4e3f425e343176ebade42fd27 code/CSOL/data/data_indicator/vggsound/trainsolo.txt
475431 d076fa162ea4ed593c2a85754b0f8bdd4ae37efae43db0fbf808a355e2786d72 code/CSOL/data/data_indicator/vggsound/trainsyn.txt
91971 1cd825e07d37cd2b0f059a181b5b85150319699035ca7a9853002467d76158f7 code/CSOL/data/data_indicator/vggsound/eval.txt
""",  # noqa: E501
)

OFFICIAL: dict[str, Annotations] = {
    "vggss": Annotations(
        "VGG-SS, its heard and unheard classes, its extended negatives",
        (
            (EZ_VSL, ("vggss.json", "vggss_test.csv", "vggss_heard_test.csv", "vggss_unheard_test.csv")),
            (SLAVC, ("vggss_test_plus_silent.csv",)),
        ),
        ("vggss", "vggss_heard", "vggss_unheard", "vggss_extended"),
    ),
    "vggss_extended": Annotations(
        "Extended VGG-SS", ((SLAVC, ("vggss.json", "vggss_test_plus_silent.csv")),), ("vggss", "vggss_extended")
    ),
    "flickr_lists": Annotations(
        "Flickr-SoundNet: EZ-VSL's 249 test ids and training sets",
        ((EZ_VSL, ("flickr_test.csv", "flickr_10k.txt", "flickr_144k.txt")),),
    ),
    "flickr_extended_lists": Annotations(
        "Flickr-SoundNet: SLAVC's 250 test ids, negatives, boxed training ids",
        ((SLAVC, ("flickr_test.csv", "flickr_test_plus_silent.csv", "flickr_sup_train.txt")),),
    ),
    "is3": Annotations(
        "IS3: boxes, and the list of masks",
        ((SSL_ALIGN, ("synthetic3240_bbox.json", "synthetic3240_seg.json")),),
        ("is3",),
    ),
    "vpo": Annotations(
        "VPO: boxes, and the lists of masks",
        ((SSL_ALIGN, ("vpo_ss_bbox.json", "vpo_ms_bbox.json", "vpo_ss_seg.json", "vpo_ms_seg.json")),),
        ("vpo_ss", "vpo_ms"),
    ),
    "avsbench_boxes": Annotations(
        "AVSBench S4 and MS3: boxes, and the lists of masks",
        ((SSL_ALIGN, ("s4_box.json", "ms3_box.json", "s4_seg.json", "ms3_seg.json")),),
        ("avsbench_s4_boxes", "avsbench_ms3_boxes"),
    ),
    "music_dsol": Annotations(
        "MUSIC solo and duet, AudioSet-instrument: boxes and lists",
        ((DSOL, ()),),
        ("music_solo", "music_duet", "audioset_instrument"),
    ),
    "vggsound_lists": Annotations(
        "EZ-VSL's training sets of VGGSound, and the test ids to check them against",
        ((EZ_VSL, ("vggss_10k.txt", "vggss_144k.txt", "vggss_heard.txt", "vggss.json")),),
        ("vggss",),
    ),
    "fnac_lists": Annotations("FNAC's training sets of VGGSound, which differ from EZ-VSL's", ((FNAC, ()),)),
    "sslalign_lists": Annotations(
        "SSLalign's 4,655 of VGG-SS, and its Flickr-SoundNet lists",
        (
            (SSL_ALIGN, ("ours_vggss.txt", "flickr_test.csv", "test_flickr_249.txt", "test_flickr_250.txt")),
            (EZ_VSL, ("vggss.json",)),
        ),
        ("vggss", "vggss_4655"),
    ),
    "ssl_tie_lists": Annotations(
        "SSL-TIE's 4,911 of VGG-SS, open set, training sets",
        ((SSL_TIE, ()), (EZ_VSL, ("vggss.json",))),
        ("vggss", "vggss_4911", "vggss_openset_heard", "vggss_openset_unheard"),
    ),
    "sspl_list": Annotations(
        "SSPL's 4,692 of VGG-SS", ((SSPL, ()), (EZ_VSL, ("vggss.json",))), ("vggss", "vggss_4692")
    ),
    "heartheflow_lists": Annotations(
        "HearTheFlow's 4,670 of VGG-SS, Flickr-SoundNet lists, training sets",
        ((HEAR_THE_FLOW, ()), (EZ_VSL, ("vggss.json",))),
        ("vggss", "vggss_4670"),
    ),
    "csol_lists": Annotations("CSOL's lists of VGGSound", ((CSOL, ()),)),
    "attention10k_lists": Annotations("Attention10k's lists of Flickr-SoundNet", ((ATTENTION10K, ()),)),
}
"""By name. A name that is a benchmark's gives what that needs."""
