from horae.cli import main

main()
