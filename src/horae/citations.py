"""BibTeX of what ran: every member of a family that comes from a paper names it here."""

from __future__ import annotations

from horae.experiment import Experiment

BIBTEX = {
    "auxo": """@inproceedings{liu2023auxo,
  title     = {Auxo: Efficient Federated Learning via Scalable Client Clustering},
  author    = {Liu, Jiachen and Lai, Fan and Dai, Yinwei and Akella, Aditya and Madhyastha,
               Harsha V. and Chowdhury, Mosharaf},
  booktitle = {ACM Symposium on Cloud Computing (SoCC)},
  year      = {2023}
}""",
    "fedavg": """@inproceedings{mcmahan2017communication,
  title     = {Communication-Efficient Learning of Deep Networks from Decentralized Data},
  author    = {McMahan, Brendan and Moore, Eider and Ramage, Daniel and Hampson, Seth
               and {Ag{\\"u}era y Arcas}, Blaise},
  booktitle = {International Conference on Artificial Intelligence and Statistics (AISTATS)},
  year      = {2017}
}""",
    "fedyogi": """@inproceedings{reddi2021adaptive,
  title     = {Adaptive Federated Optimization},
  author    = {Reddi, Sashank J. and Charles, Zachary and Zaheer, Manzil and Garrett, Zachary and Rush, Keith
               and Kone{\\v{c}}n{\\'y}, Jakub and Kumar, Sanjiv and McMahan, H. Brendan},
  booktitle = {International Conference on Learning Representations (ICLR)},
  year      = {2021}
}""",
    "fedscale": """@inproceedings{lai2022fedscale,
  title     = {{FedScale}: Benchmarking Model and System Performance of Federated Learning at Scale},
  author    = {Lai, Fan and Dai, Yinwei and Singapuram, Sanjay S. and Liu, Jiachen and Zhu, Xiangfeng and Madhyastha,
               Harsha V. and Chowdhury, Mosharaf},
  booktitle = {International Conference on Machine Learning (ICML)},
  year      = {2022}
}""",
    "digits": """@misc{alpaydin1998optical,
  title     = {Optical Recognition of Handwritten Digits},
  author    = {Alpaydin, Ethem and Kaynak, Cenk},
  publisher = {UCI Machine Learning Repository},
  year      = {1998},
  doi       = {10.24432/C50P49}
}""",
    "mnist-writers": """@article{yadav2019cold,
  title   = {Cold Case: The Lost {MNIST} Digits},
  author  = {Yadav, Chhavi and Bottou, L{\\'e}on},
  journal = {Advances in Neural Information Processing Systems},
  volume  = {32},
  year    = {2019}
}""",
}  # fmt: skip


def cite(experiment: Experiment) -> list[str]:
    """The BibTeX entries of an experiment's parts, in order of family, each once."""
    keys = []
    for member in experiment.names().values():
        key = "digits" if member.startswith("digits-") else member
        if key in BIBTEX and key not in keys:
            keys.append(key)
    return [BIBTEX[key] for key in keys]
