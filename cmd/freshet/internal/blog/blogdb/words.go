package blogdb

// The lists that the data set is made of. They are constants, not variables, so
// that nothing can change them.
const (
	firstNames = "Maria,Ana,Bruno,Carla,Diego,Elena,Felix,Greta,Hugo,Ines,Jonas,Kira,Lucas,Marta,Nina,Oscar,Paula,Quentin," +
		"Rosa,Samuel,Tara,Uwe,Vera,Wanda,Xavier,Yara,Zoe,Aisha,Boris,Chloe,Dmitri,Emma,Farid,Grace,Hana,Ivan,Julia," +
		"Kofi,Leila,Mateo,Noor,Olga,Pedro,Ravi,Sofia,Tomas,Ursula,Victor,Wei,Yuki"
	lastNames = "Silva,Santos,Garcia,Kowalski,Novak,Meyer,Rossi,Dubois,Jensen,Okafor,Haddad,Tanaka,Kim,Chen,Patel,Ivanova," +
		"Murphy,Costa,Schmidt,Larsen,Moreau,Bianchi,Fernandez,Horvat,Yilmaz,Nguyen,Mensah,Andersson,Popescu,Walker,Almeida"
	cities = "Lisbon,Porto,Berlin,Madrid,Nairobi,Osaka,Toronto,Austin,Recife,Mumbai,Accra,Oslo,Prague,Lima,Seoul,Dublin,Hanoi," +
		"Vienna,Auckland,Bogota,Tallinn,Cairo,Montreal"
	topics = "databases,gardening,distributed systems,cooking,typography,cycling,compilers,photography,astronomy,chess," +
		"sailing,radio,maps,woodwork,statistics,languages,coffee"
	departmentNames   = "Engineering,Design,Sales,Support,Finance"
	roles             = "Lead,Senior,Specialist,Assistant"
	organizationNames = "Acme Bluefin Cardinal Driftwood Evergreen Foundry Granite Harbour Ironbark Juniper"
)

// words for titles and bodies, common ones first.
const words = `
the of and to in a is that for it with as was on be by at from this have or one had not but what all were when we there
can an your which their said if do will each about how up out them then she many some so these would other into has more
her two like him see time could no make than first been its who now people my made over did down only way find use may
water long little very after words called just where most know get through back much go good new write our used me man too
any day same right look think also around another came come work three word must because does part even place well such
here take why things help put years different away again off went old number great tell men say small every found still
between name should home big give air line set own under read last never us left end along while might next sound below
saw something thought both few those always looked show large often together asked house world going want school important
until form food keep children feet land side without boy once animals life enough took sometimes four head above kind began
almost live page got earth need far hand high year mother light parts country father let night following picture being
study second eyes soon times story boys since white days ever paper hard near sentence better best across during today
others however sure means knew try told young miles sun ways thing whole hear example heard several change answer room sea
against top turned learn point city play toward five using himself usually money seen car morning body later turn though
cache server query latency index river stream fresh coffee garden bridge window summer winter harbour market engine signal
mountain library teacher journey silver letter kitchen music forest island captain doctor station planet camera village
bicycle orchard lantern compass thunder meadow violin pepper marble ribbon anchor canyon feather glacier hammer jungle
kettle lemon magnet needle oyster pencil quarry rocket saddle temple umbrella valley walnut yellow zigzag archive backup
cluster deploy elastic failover gateway handler iterator journal kernel lease module network origin protocol quorum replica
shard token update version worker balance budget contract deadline estimate forecast growth headline invoice launch margin
notebook outline proposal quarter review schedule target vendor workshop address border climate desert equator festival
`
